"""Distillation: a small student learns from a trained teacher's softened predictions, besides the labels."""

import numpy as np
from sklearn.datasets import load_digits

import thalweg as keras
from thalweg import layers, ops


class Distiller(keras.Model):
    """Trains a student to predict what its teacher predicts."""

    def __init__(self, student, teacher):
        super().__init__()
        self.teacher = teacher
        self.student = student

    def compile(self, optimizer, metrics, student_loss_fn, distillation_loss_fn, alpha=0.1, temperature=3):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn = student_loss_fn
        self.distillation_loss_fn = distillation_loss_fn
        self.alpha = alpha
        self.temperature = temperature

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
        teacher_pred = self.teacher(x, training=False)
        student_loss = self.student_loss_fn(y, y_pred)
        distillation_loss = self.distillation_loss_fn(
            ops.softmax(teacher_pred / self.temperature, axis=1), ops.softmax(y_pred / self.temperature, axis=1)
        ) * (self.temperature**2)
        return self.alpha * student_loss + (1 - self.alpha) * distillation_loss

    def call(self, x):
        return self.student(x)


def network(name, filters):
    """A small convnet that returns logits."""
    return keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(filters, (3, 3), padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(2 * filters, (3, 3), padding="same"),
            layers.Flatten(),
            layers.Dense(10),
        ],
        name=name,
    )


keras.utils.set_random_seed(0)
digits = load_digits()
x, y = (digits.images / 16)[..., np.newaxis].astype("float32"), digits.target
x_train, y_train, x_test, y_test = x[:1300], y[:1300], x[1300:], y[1300:]
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

teacher = network("teacher", 16)
teacher.compile(keras.optimizers.Adam(0.003), loss=cross_entropy, metrics=["sparse_categorical_accuracy"])
teacher.fit(x_train, y_train, epochs=15, verbose=0)
before = teacher.get_weights()

distiller = Distiller(student=network("student", 2), teacher=teacher)
distiller.compile(
    optimizer=keras.optimizers.Adam(0.003),
    metrics=[keras.metrics.SparseCategoricalAccuracy()],
    student_loss_fn=cross_entropy,
    distillation_loss_fn=keras.losses.KLDivergence(),
)
distiller.teacher.trainable = False
distiller.fit(x_train, y_train, epochs=25, verbose=0)
assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))

right = {m.name: np.mean(m.predict(x_test, verbose=0).argmax(1) == y_test) for m in (teacher, distiller.student)}
agree = np.mean(distiller.predict(x_test, verbose=0).argmax(1) == teacher.predict(x_test, verbose=0).argmax(1))
assert right["student"] > 0.8
assert agree > 0.8
print(f"distillation: accuracy {right['teacher']:.3f} → {right['student']:.3f}, agreement {agree:.3f}")
