# A Wave-U-Net in one dimension: linear interpolation by a factor, decimation by slicing, a crop of the ends.
import torch
import torch.nn as nn
import torch.nn.functional as F


class WaveUNet(nn.Module):
    def __init__(self, n_layers=3, channels_interval=8):
        super().__init__()
        self.n_layers = n_layers
        enc_in = [1] + [(i + 1) * channels_interval for i in range(n_layers - 1)]
        enc_out = [(i + 1) * channels_interval for i in range(n_layers)]
        self.encoder = nn.ModuleList()
        for i in range(n_layers):
            self.encoder.append(nn.Sequential(
                nn.Conv1d(enc_in[i], enc_out[i], 15, padding=7), nn.BatchNorm1d(enc_out[i]), nn.LeakyReLU(0.1)))
        self.middle = nn.Sequential(nn.Conv1d(enc_out[-1], enc_out[-1], 15, padding=7), nn.LeakyReLU(0.1))
        self.decoder = nn.ModuleList()
        previous = enc_out[-1]
        for width in reversed(enc_out):
            self.decoder.append(nn.Sequential(nn.Conv1d(previous + width, width, 5, padding=2), nn.LeakyReLU(0.1)))
            previous = width
        self.out = nn.Sequential(nn.Conv1d(1 + channels_interval, 1, 1), nn.Tanh())

    def forward(self, input):
        tmp = []
        o = input

        # Up Sampling
        for i in range(self.n_layers):
            o = self.encoder[i](o)
            tmp.append(o)
            # [batch_size, T // 2, channels]
            o = o[:, :, ::2]

        o = self.middle(o)

        # Down Sampling
        for i in range(self.n_layers):
            # [batch_size, T * 2, channels]
            o = F.interpolate(o, scale_factor=2, mode="linear", align_corners=True)
            # Skip Connection
            o = torch.cat([o, tmp[self.n_layers - i - 1]], dim=1)
            o = self.decoder[i](o)

        o = torch.cat([o, input], dim=1)
        o = self.out(o)
        return o


NET = WaveUNet()
INPUT = (1, 64)
