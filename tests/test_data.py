import numpy as np
import torch

from holdfast.data import Data


def data(window=None):
    both = torch.zeros(6, 3), torch.zeros(6)
    return Data(both, both, [np.array([0, 1, 2]), np.array([3, 4, 5])], {}, None, 1, window)


def test_without_a_window_all_samples_are_at_hand():
    shard = np.array([4, 2])
    assert data().at_hand(shard, round=3) is shard
    assert data().sizes(2).tolist() == [3, 3]


def test_a_window_says_what_is_at_hand_in_a_round():
    slides = data(lambda samples, round: samples[samples >= round + 1])
    assert slides.at_hand(np.array([5, 1, 3]), round=2).tolist() == [5, 3]
    assert slides.sizes(2).tolist() == [1, 3]
    assert slides.sizes(1).tolist() == [1]


def test_the_bytes_of_a_sample_are_those_of_its_inputs():
    assert data().sample_bytes == 12
