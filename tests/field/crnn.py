# CRNN reads text: convolutions, then LSTMs in a class of their own.
import torch.nn as nn


class BidirectionalLSTM(nn.Module):

    def __init__(self, nIn, nHidden, nOut):
        super(BidirectionalLSTM, self).__init__()

        self.rnn = nn.LSTM(nIn, nHidden, bidirectional=True)
        self.embedding = nn.Linear(nHidden * 2, nOut)

    def forward(self, input):
        recurrent, _ = self.rnn(input)  # refused: CNN218
        T, b, h = recurrent.size()
        t_rec = recurrent.view(T * b, h)

        output = self.embedding(t_rec)  # [T * b, nOut]
        output = output.view(T, b, -1)

        return output


class CRNN(nn.Module):

    def __init__(self, imgH, nc, nclass, nh):
        super(CRNN, self).__init__()
        assert imgH % 16 == 0, 'imgH has to be a multiple of 16'

        nm = [8, 16, 32]
        cnn = nn.Sequential()
        for i in range(3):
            nIn = nc if i == 0 else nm[i - 1]
            cnn.add_module('conv{0}'.format(i), nn.Conv2d(nIn, nm[i], 3, 1, 1))
            cnn.add_module('relu{0}'.format(i), nn.ReLU(True))
            cnn.add_module('pooling{0}'.format(i), nn.MaxPool2d(2, 2))
        cnn.add_module('last', nn.Conv2d(32, 32, (4, 1)))

        self.cnn = cnn
        self.rnn = nn.Sequential(
            BidirectionalLSTM(32, nh, nh),
            BidirectionalLSTM(nh, nh, nclass))

    def forward(self, input):
        # conv features
        conv = self.cnn(input)
        b, c, h, w = conv.size()
        assert h == 1, "the height of conv must be 1"
        conv = conv.squeeze(2)
        conv = conv.permute(2, 0, 1)  # [w, b, c]  # refused: CNN216

        # rnn features
        output = self.rnn(conv)
        return output


NET = CRNN(32, 1, 37, 16)
INPUT = (1, 32, 64)
