-- Starts `cnndsl lsp` for YAML files; the server leaves alone those that are not specs. Put it into your init.lua.

local server = { name = "cnndsl", cmd = { "cnndsl", "lsp" } }

function server.on_attach(_, buffer)
  vim.bo[buffer].omnifunc = "v:lua.vim.lsp.omnifunc" -- completion: Ctrl-X Ctrl-O
  if vim.lsp.inlay_hint then -- Neovim 0.10 and later show shapes behind the steps
    vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
  end
  -- Costs above the network and above each block.
  vim.api.nvim_create_autocmd({ "BufEnter", "InsertLeave", "TextChanged" }, {
    buffer = buffer,
    callback = function()
      vim.lsp.codelens.refresh()
    end,
  })
  vim.lsp.codelens.refresh()
end

local function start(found)
  local file = vim.api.nvim_buf_get_name(found.buf)
  if vim.lsp.start then
    local marks = vim.fs.find({ ".git", "pyproject.toml" }, { upward = true, path = file })
    server.root_dir = vim.fs.dirname(marks[1] or file)
    vim.lsp.start(server, { bufnr = found.buf })
  else -- Neovim 0.7
    server.root_dir = vim.fn.getcwd()
    server.id = server.id or vim.lsp.start_client(server)
    vim.lsp.buf_attach_client(found.buf, server.id)
  end
end

vim.api.nvim_create_autocmd("FileType", { pattern = "yaml", callback = start })
