"""Layers of your own: a Python class becomes an entry of the layer table. Imports torch only to measure one."""

from cnndsl.plugins.decorator import layer
from cnndsl.plugins.loading import load_installed, load_plugin
from cnndsl.plugins.plugin_layer import OwnLayer

__all__ = ["OwnLayer", "layer", "load_installed", "load_plugin"]
