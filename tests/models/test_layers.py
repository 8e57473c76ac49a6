import pytest
from torch import nn

from holdfast.errors import InputError
from holdfast.models.layers import dense, flat_size


@pytest.mark.parametrize("shape", [(), (0,), (1, 0, 3), (-1, 4)])
def test_inputs_without_numbers_are_refused(shape):
    with pytest.raises(InputError, match="at least"):
        flat_size(shape)


def test_dropout_stands_before_the_last_layer_only():
    kinds = [type(layer) for layer in dense(5, (4, 3), 2, dropout=0.5)]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert nn.Dropout not in map(type, dense(5, (4, 3), 2))
