"""A spec's ``train``: torch's optimizers, schedules, losses, transforms and data sets by name,
checked without torch."""

from cnndsl.recipe.recipe import EarlyStopping, Recipe

__all__ = ["EarlyStopping", "Recipe"]
