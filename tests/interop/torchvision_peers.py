"""VGG16, ResNet and Inception-v3 in PyTorch: the last maps, by the names of torchvision's tensors.

Ours are compared with these, because there is no torchvision everywhere that there is PyTorch.
"""

import torch
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, max_pool2d


def convolved(t, x, conv, norm, stride=1, padding=0, eps=1e-5):
    """A convolution and its norm, of the tensors `t` by name."""
    statistics = (t[f"{norm}.running_mean"], t[f"{norm}.running_var"])
    y = conv2d(x, t[f"{conv}.weight"], None, stride, padding)
    return batch_norm(y, *statistics, t[f"{norm}.weight"], t[f"{norm}.bias"], eps=eps)


def vgg16(t, x):
    """Before the last pooling."""
    number = 0
    for stage, depth in enumerate((2, 2, 3, 3, 3)):
        if stage:
            x, number = max_pool2d(x, 2), number + 1
        for _ in range(depth):
            weight, bias = t[f"features.{number}.weight"], t[f"features.{number}.bias"]
            x, number = conv2d(x, weight, bias, padding=1).relu(), number + 2
    return x


def resnet(t, x):
    """Of any size: with as many layers as there are tensors of."""
    x = max_pool2d(convolved(t, x, "conv1", "bn1", 2, 3).relu(), 3, 2, 1)
    for stage in (1, 2, 3, 4):
        layer = 0
        while f"layer{stage}.{layer}.conv1.weight" in t:
            x = residual(t, x, f"layer{stage}.{layer}", 2 if stage > 1 and not layer else 1)
            layer += 1
    return x


def residual(t, x, name, stride):
    """One layer of a ResNet."""

    def step(x, i, stride, padding):
        return convolved(t, x, f"{name}.conv{i}", f"{name}.bn{i}", stride, padding)

    if f"{name}.conv3.weight" in t:
        y = step(x, 1, 1, 0).relu()
        y = step(step(y, 2, stride, 1).relu(), 3, 1, 0)
    else:
        y = step(step(x, 1, stride, 1).relu(), 2, 1, 1)
    if f"{name}.downsample.0.weight" in t:
        x = convolved(t, x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
    return (x + y).relu()


def inception_v3(t, x):
    """Without the auxiliary classifier."""

    def basic(x, name, stride=1, padding=0):
        return convolved(t, x, f"{name}.conv", f"{name}.bn", stride, padding, eps=1e-3).relu()

    def rows(x, name, side):
        return basic(x, name, padding=(0, side // 2))

    def columns(x, name, side):
        return basic(x, name, padding=(side // 2, 0))

    def averaged(x, name):
        return basic(avg_pool2d(x, 3, 1, 1), f"{name}.branch_pool")

    x = basic(x, "Conv2d_1a_3x3", 2)
    x = basic(basic(x, "Conv2d_2a_3x3"), "Conv2d_2b_3x3", padding=1)
    x = basic(max_pool2d(x, 3, 2), "Conv2d_3b_1x1")
    x = max_pool2d(basic(x, "Conv2d_4a_3x3"), 3, 2)
    for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        five = basic(basic(x, f"{name}.branch5x5_1"), f"{name}.branch5x5_2", padding=2)
        three = basic(basic(x, f"{name}.branch3x3dbl_1"), f"{name}.branch3x3dbl_2", padding=1)
        three = basic(three, f"{name}.branch3x3dbl_3", padding=1)
        x = torch.cat([basic(x, f"{name}.branch1x1"), five, three, averaged(x, name)], 1)
    three = basic(basic(x, "Mixed_6a.branch3x3dbl_1"), "Mixed_6a.branch3x3dbl_2", padding=1)
    three = basic(three, "Mixed_6a.branch3x3dbl_3", 2)
    x = torch.cat([basic(x, "Mixed_6a.branch3x3", 2), three, max_pool2d(x, 3, 2)], 1)
    for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        seven = rows(basic(x, f"{name}.branch7x7_1"), f"{name}.branch7x7_2", 7)
        seven = columns(seven, f"{name}.branch7x7_3", 7)
        twice = basic(x, f"{name}.branch7x7dbl_1")
        for i, way in enumerate((columns, rows, columns, rows), 2):
            twice = way(twice, f"{name}.branch7x7dbl_{i}", 7)
        x = torch.cat([basic(x, f"{name}.branch1x1"), seven, twice, averaged(x, name)], 1)
    three = basic(basic(x, "Mixed_7a.branch3x3_1"), "Mixed_7a.branch3x3_2", 2)
    seven = rows(basic(x, "Mixed_7a.branch7x7x3_1"), "Mixed_7a.branch7x7x3_2", 7)
    seven = columns(seven, "Mixed_7a.branch7x7x3_3", 7)
    seven = basic(seven, "Mixed_7a.branch7x7x3_4", 2)
    x = torch.cat([three, seven, max_pool2d(x, 3, 2)], 1)
    for name in ("Mixed_7b", "Mixed_7c"):
        one = basic(x, f"{name}.branch3x3_1")
        two = basic(basic(x, f"{name}.branch3x3dbl_1"), f"{name}.branch3x3dbl_2", padding=1)
        forks = [
            way(y, f"{name}.branch3x3{end}", 3)
            for y, ends in ((one, ("_2a", "_2b")), (two, ("dbl_3a", "dbl_3b")))
            for way, end in zip((rows, columns), ends, strict=True)
        ]
        x = torch.cat([basic(x, f"{name}.branch1x1"), *forks, averaged(x, name)], 1)
    return x
