"""What users read, in their language: the English text is the key, and Chinese as in Taiwan stands in zh.po.

>>> from thalweg import words
>>> words.say("{share:.0%} of the units of {layer} are dead.", "en", share=0.5, layer="dense_1")
'50% of the units of dense_1 are dead.'
"""

from thalweg.words.translations import LANGUAGES, Said, Text, kept, listed, restored, say, text, translated

__all__ = ["LANGUAGES", "Said", "Text", "kept", "listed", "restored", "say", "text", "translated"]
