;;; Starts `cnndsl lsp' in yaml-mode and yaml-ts-mode by Eglot, which Emacs has from version 29 on.

(require 'eglot)

(add-to-list 'eglot-server-programs '((yaml-mode yaml-ts-mode) . ("cnndsl" "lsp")))
(add-hook 'yaml-mode-hook #'eglot-ensure)
(add-hook 'yaml-ts-mode-hook #'eglot-ensure)
