"""Charts, and pictures by matplotlib, an extra that is imported for the first picture: pip install 'thalweg[plot]'."""
