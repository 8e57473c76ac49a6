"""Bulyan once more, both ways: plain Python on lists of float64."""

from __future__ import annotations

from .oracles import Rows, squared_distance, whole


def nearest_to_the_median(x: Rows, dropped: int) -> list[float]:
    result = []
    for column in range(len(x[0]) if x else 0):
        values = sorted(row[column] for row in x)
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        near = sorted(values, key=lambda value: (abs(value - middle), value))[
            : max(2 - len(values) % 2, len(values) - dropped)
        ]
        result.append(sum(near) / len(near))
    return result


def bulyan(x: Rows, f: int) -> list[float]:
    left, selected = list(range(len(x))), []
    while len(selected) < len(x) - 2 * f:
        keys = []
        for i in left:
            others = sorted(squared_distance(x[i], x[j]) for j in left if j != i and whole(x[j]))
            keys.append((not whole(x[i]), sum(others[: max(1, len(left) - f - 2)]), i))
        winner = min(keys)[2]
        left.remove(winner)
        selected.append(winner)
    return nearest_to_the_median([x[i] for i in selected if whole(x[i])], 2 * f) or [0.0] * len(x[0])


def bulyan_incremental(x: Rows, f: int) -> list[float]:
    n = len(x)
    m, t = n - f - 2, n - 2 * f - 2
    neighbours = []
    for i in range(n):
        others = sorted((squared_distance(x[i], x[j]), j) for j in range(n) if j != i)
        neighbours.append([j for _, j in others[:m]])
    left, means = [i for i in range(n) if whole(x[i])], []
    for k in range(t):
        scores = {i: sum(squared_distance(x[i], x[j]) for j in neighbours[i] if j in left) for i in left}
        order = sorted(left, key=lambda i: (scores[i], i))
        best = order[: m - k]
        if best:
            means.append([sum(x[i][d] for i in best) / len(best) for d in range(len(x[0]))])
            left.remove(order[0])
    return nearest_to_the_median(means, 2 * f) or [0.0] * len(x[0])
