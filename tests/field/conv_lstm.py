# A convolutional recurrent cell, whose state begins as zeros.
import torch
import torch.nn as nn


class ConvLSTMCell(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.conv = nn.Conv2d(input_dim + hidden_dim, 4 * hidden_dim, 3, padding=1)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = torch.split(self.conv(torch.cat([x, h], dim=1)), self.hidden_dim, dim=1)  # refused: CNN219
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = ConvLSTMCell(3, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        b, t, _, hh, ww = x.shape
        h = torch.zeros(b, 8, hh, ww)
        state = (h, h)
        for i in range(t):
            state = self.cell(x[:, i], state)
        return self.out(state[0])


NET = Net()
INPUT = (4, 3, 16, 16)
