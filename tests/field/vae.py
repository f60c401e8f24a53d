# A variational autoencoder, which returns three tensors. No layer draws noise.
import torch
import torch.nn as nn
import torch.nn.functional as F


class VAE(nn.Module):
    def __init__(self, latent=8):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 2, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 2, 1)
        self.fc_mu = nn.Linear(16 * 49, latent)
        self.fc_var = nn.Linear(16 * 49, latent)
        self.fc = nn.Linear(latent, 16 * 49)
        self.deconv1 = nn.ConvTranspose2d(16, 8, 4, 2, 1)
        self.deconv2 = nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def encode(self, x):
        h = F.relu(self.conv2(F.relu(self.conv1(x)))).flatten(1)
        return self.fc_mu(h), self.fc_var(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)  # refused: CNN216
        eps = torch.randn_like(std)  # refused: CNN216
        return mu + eps * std

    def decode(self, z):
        h = self.fc(z).view(-1, 16, 7, 7)
        return torch.sigmoid(self.deconv2(F.relu(self.deconv1(h))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


NET = VAE()
INPUT = (1, 28, 28)
