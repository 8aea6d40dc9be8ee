"""PURE. Lists of words, the forms that disguises are taken off to, and the search for the words in texts."""
