"""What each name in a spec means: the places that name one thing, wherever they are."""
