"""A trained network in other languages; `Model.export` writes it."""

from thalweg.support.naming import answer_for

answer_for(__name__)
