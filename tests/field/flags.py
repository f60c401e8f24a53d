# forward with flags as keywords, which nobody gives.
import torch
import torch.nn as nn
from typing import List, Optional, Union


class Encoder(nn.Module):
    def __init__(self, in_chans: int = 3, dims: List[int] = [8, 16, 32], act: Optional[nn.Module] = None):
        super().__init__()
        self.act = act or nn.GELU()
        self.layers = nn.ModuleList()
        for d in dims:
            self.layers.append(nn.Conv2d(in_chans, d, 4, 2, 1))
            in_chans = d

    def forward(self, x: torch.Tensor, return_all: bool = False) -> Union[torch.Tensor, List[torch.Tensor]]:
        outs = []
        for layer in self.layers:
            x = self.act(layer(x))
            outs.append(x)
        return outs if return_all else outs[-1]


class Net(nn.Module):
    def __init__(self, num_classes: int = 10):
        super().__init__()
        self.encoder = Encoder()
        self.neck = nn.Conv2d(8 + 16 + 32, 16, 1)
        self.cls = nn.Linear(16, num_classes)

    def forward(self, x, return_features=False, mask=None):
        feats = self.encoder(x, return_all=True)
        pooled = torch.cat([f.mean((-1, -2), keepdim=True) for f in feats], dim=1)
        z = self.neck(pooled).flatten(start_dim=1)
        if mask is not None:
            z = z * mask
        if return_features:
            return z
        return {"logits": self.cls(z), "features": z}


NET = Net()
INPUT = (3, 32, 32)
