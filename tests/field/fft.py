# A Fourier block: complex tensors are none of our layers' business. Every function is told.
import torch
import torch.nn as nn


class Spectral(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, 2 * channels, 1)

    def forward(self, x):
        _, c, h, w = x.shape
        f = torch.fft.rfft2(x, norm="ortho")  # refused: CNN216
        f = torch.cat([f.real, f.imag], dim=1)  # refused: CNN216
        f = torch.relu(self.conv(f))
        re, im = torch.chunk(f, 2, dim=1)
        return torch.fft.irfft2(torch.complex(re, im), s=(h, w), norm="ortho")  # refused: CNN216


NET = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Spectral(8), nn.Conv2d(8, 3, 1))
INPUT = (3, 16, 16)
