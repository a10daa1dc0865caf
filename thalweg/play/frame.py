"""What a side tells the page in one frame: always where it stands, and of the rest what is new and wanted."""

from __future__ import annotations

from typing import Any

from thalweg.errors import DivergedError
from thalweg.play.survey import Survey
from thalweg.play.training.arithmetic import Choice, arithmetic, kernel_of
from thalweg.play.training.ball import Valley
from thalweg.play.training.journey import Course
from thalweg.play.training.network import finite
from thalweg.words import Text

WANTS = ("surface", "units", "weights", "landscape", "arithmetic", "findings", "reading")


class Frame:
    """Makes the frames of a side, and remembers what the page has been told."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.status = "paused"
        self.error: Text | None = None
        self.drawing: dict[str, Any] | None = None
        self.fresh = self.renewed = False  # a new course; another state
        self.valley: Valley | None = None
        self.valley_sent = True
        self.valley_error: Text | None = None
        self.outside = False  # whether the ball has left the landscape
        self.findings: list[dict[str, Any]] = []  # as the page knows them

    def reset(self, course: Course) -> None:
        """A new course has begun."""
        self.fresh = self.renewed = True
        self.error = self.drawing = None
        self.changed(course)

    def changed(self, course: Course) -> None:
        """The course goes on under another state."""
        self.renewed = True
        self.valley, self.valley_sent, self.outside = None, True, False

    def landed(self, survey: Survey | None) -> None:
        """A landscape is there, if it is still the one that is wanted."""
        if survey is None or not survey.done:
            return
        if survey.valley is not None:  # else the last one stays
            self.valley, self.valley_sent = survey.valley, False
        self.valley_error = survey.error

    def empty(self) -> dict[str, Any]:
        """While there is no course."""
        error, self.error = self.error, None
        return {"status": self.status} | ({} if error is None else {"error": error})

    def made(self, course: Course, wanted: set[str], choice: Choice, pace: float) -> dict[str, Any]:
        """The next frame."""
        found = self.standing(course, pace)
        if self.error is not None:
            found["error"], self.error = self.error, None
        if self.fresh:
            found |= {"reset": True, "facts": course.network.facts(), "notes": course.network.notes}
            found["input_maps"] = course.responses.inputs()
            course.curves.sent = 0
        if self.renewed:
            found["state"] = course.state.to_json()
        curves = course.curves.unsent()
        if curves is not None:
            found["curves"] = curves
        if self.drawing is not None:
            found["drawing"], self.drawing = self.drawing, None
        found |= self.pictures(course, wanted, choice)
        self.fresh = self.renewed = False
        return {key: value for key, value in found.items() if value is not None or key in NULLS}

    def standing(self, course: Course, pace: float) -> dict[str, Any]:
        """Where the training stands."""
        network, last = course.network, course.last
        scored = {
            key: finite(last[key]) if last.get(key) is not None else None
            for key in ("loss", "val_loss", network.metric, f"val_{network.metric}")
        }
        now = course.loss_now()
        return {
            "status": self.status,
            "epoch": course.epoch,
            "iteration": course.iteration,
            "batch": course.bursts.batch,
            "learning_rate": float(network.model.optimizer.learning_rate),
            "loss_now": None if now is None else finite(now),
            "accuracy": None,
            "val_accuracy": None,
            "pace": round(pace, 1),
            **scored,
        }

    def pictures(self, course: Course, wanted: set[str], choice: Choice) -> dict[str, Any]:
        """What is drawn."""
        found: dict[str, Any] = {}
        network, responses = course.network, course.responses
        if "weights" in wanted:
            arrays = [kernel_of(layer) for layer in network.kernels]
            found |= {"weights": [kernel for kernel, _ in arrays], "biases": [bias for _, bias in arrays]}
        if "units" in wanted:
            found["units"] = responses.units(choice.row)
        if "surface" in wanted:
            found |= {"surface": responses.surface(self.renewed), "line": responses.line(self.renewed)}
            found["sample"] = responses.sample(choice.row)
        if "reading" in wanted:
            found["reading"] = course.reading.shown(choice.said, choice.row, course.iteration)
        if "arithmetic" in wanted:
            try:
                found["arithmetic"] = arithmetic(network, choice, course.step)
            except DivergedError:
                found["arithmetic"] = None
        if "landscape" in wanted:
            found |= self.landscape(course)
        if "findings" in wanted:
            findings = course.findings()
            if findings != self.findings or self.fresh:
                found["findings"] = self.findings = findings
        return found

    def landscape(self, course: Course) -> dict[str, Any]:
        """The landscape once, and where the ball is."""
        if self.valley is None:
            status: dict[str, Any] = {"status": "computing"}
            return {"landscape": {"status": "failed", "error": self.valley_error} if self.valley_error else status}
        found: dict[str, Any] = {}
        if not self.valley_sent:
            found["landscape"], self.valley_sent = self.valley.figure, True
        loss = course.loss_now()
        if loss is not None:
            found["ball"] = self.valley.ball(course.network.model.vector, loss)
            self.outside = not self.valley.holds(found["ball"])
        return found


NULLS = ("loss", "val_loss", "accuracy", "val_accuracy", "loss_now")
"""Keys that are told even if there is no number."""
