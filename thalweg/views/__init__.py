"""Pictures by matplotlib, an extra that is imported when the first one is drawn: pip install 'thalweg[plot]'."""
