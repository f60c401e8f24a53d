"""The language server, ``cnndsl lsp``: what :mod:`cnndsl.editing` answers, in the words of its protocol.

Nothing is decided here about specs. ``server.py`` receives messages, ``workbench.py`` keeps the open texts and compiles
them, ``checks.py`` tells the client what is wrong, and ``features.py`` answers requests.
"""
