"""Reading words in pictures: convolutions, a bidirectional LSTM over the columns, CTC loss, greedy decoding."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class BidirectionalLSTM(nn.Module):
    def __init__(self, nIn, nHidden, nOut):
        super(BidirectionalLSTM, self).__init__()
        self.rnn = nn.LSTM(nIn, nHidden, bidirectional=True)
        self.embedding = nn.Linear(nHidden * 2, nOut)

    def forward(self, input):
        self.rnn.flatten_parameters()
        recurrent, _ = self.rnn(input)
        T, b, h = recurrent.size()
        t_rec = recurrent.view(T * b, h)
        output = self.embedding(t_rec)
        output = output.view(T, b, -1)
        return output


class CRNN(nn.Module):
    def __init__(self, nclass, nh=8):
        super().__init__()
        cnn = nn.Sequential()

        def convRelu(i, nIn, nOut, batchNormalization=False, leaky=False):
            cnn.add_module("conv{0}".format(i), nn.Conv2d(nIn, nOut, 3, 1, 1))
            if batchNormalization:
                cnn.add_module("batchnorm{0}".format(i), nn.BatchNorm2d(nOut))
            if leaky:
                cnn.add_module("relu{0}".format(i), nn.LeakyReLU(0.2, inplace=True))
            else:
                cnn.add_module("relu{0}".format(i), nn.ReLU(True))

        convRelu(0, 1, 4)
        cnn.add_module("pooling{0}".format(0), nn.MaxPool2d(2, 2))
        convRelu(1, 4, 8, True)
        cnn.add_module("pooling{0}".format(1), nn.MaxPool2d((2, 2), (2, 1), (0, 1)))
        convRelu(2, 8, 8, True, leaky=True)
        cnn.add_module("last", nn.Conv2d(8, 8, (4, 2)))
        self.cnn = cnn
        self.rnn = nn.Sequential(BidirectionalLSTM(8, nh, nh), BidirectionalLSTM(nh, nh, nclass))

    def forward(self, input):
        conv = self.cnn(input)
        b, c, h, w = conv.size()
        assert h == 1, "the height of conv must be 1"
        conv = conv.squeeze(2)
        conv = conv.permute(2, 0, 1)
        return F.log_softmax(self.rnn(conv), dim=2)


class Converter(object):
    def __init__(self, alphabet):
        self.alphabet = alphabet + "-"
        self.dict = {c: i + 1 for i, c in enumerate(alphabet)}

    def encode(self, text):
        if isinstance(text, str):
            text = [self.dict[c.lower()] for c in text]
            length = [len(text)]
        else:
            length = [len(s) for s in text]
            text, _ = self.encode("".join(text))
        return (torch.IntTensor(text), torch.IntTensor(length))

    def decode(self, t, length, raw=False):
        if length.numel() == 1:
            length = length[0]
            assert t.numel() == length
            char_list = []
            for i in range(length):
                if t[i] != 0 and (not (i > 0 and t[i - 1] == t[i])):
                    char_list.append(self.alphabet[t[i] - 1])
            return "".join(char_list)
        texts, index = [], 0
        for i in range(length.numel()):
            l = length[i]
            texts.append(self.decode(t[index : index + l], torch.IntTensor([l])))
            index += l
        return texts


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        m.weight.data.normal_(0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)


def models():
    net = CRNN(6)
    net.apply(weights_init)
    return [net]


def train(crnn):
    rng = np.random.default_rng(1)
    converter = Converter("abcde")
    criterion = nn.CTCLoss(blank=0, zero_infinity=True)
    optimizer = optim.SGD(crnn.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    words = ["abc", "ed", "aab", "c"]
    hist = []
    for p in crnn.parameters():
        p.requires_grad = True
    for _ in range(5):
        images = torch.FloatTensor(rng.random((4, 1, 16, 20)))
        crnn.train()
        text, length = converter.encode(words)
        preds = crnn(images)
        preds_size = torch.IntTensor([preds.size(0)] * images.size(0))
        cost = criterion(preds, text, preds_size, length)
        crnn.zero_grad()
        cost.backward()
        optimizer.step()
        _, out = preds.max(2)
        out = out.transpose(1, 0).contiguous().view(-1)
        sim = converter.decode(out.data, preds_size.data)
        hist += [cost.item(), sum(map(len, sim)), preds.exp().sum(2).mean().item()]
    return hist
