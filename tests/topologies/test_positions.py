import networkx as nx
import numpy as np

from holdfast.topologies.positions import positions


def test_places_of_their_own_come_first_in_the_order_of_the_nodes():
    graph = nx.Graph()
    graph.add_node(1, pos=(0.5, 0.25))
    graph.add_node(0, pos=(1.0, 0.0))
    np.testing.assert_array_equal(positions(graph), [[1.0, 0.0], [0.5, 0.25]])


def test_a_regular_graph_is_a_circle_by_number():
    graph = nx.DiGraph([(2, 0), (0, 1), (1, 2)])
    angles = 2 * np.pi * np.arange(3) / 3
    circle = 0.5 + 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(positions(graph), circle, atol=1e-6)


def test_springs_put_the_hub_of_a_star_in_the_middle_the_same_every_time():
    found = positions(nx.star_graph(8))
    np.testing.assert_array_equal(found, positions(nx.star_graph(8)))
    assert np.linalg.norm(found - found.mean(axis=0), axis=1).argmin() == 0


def test_a_large_graph_is_a_circle():
    distance = np.linalg.norm(positions(nx.path_graph(400)) - 0.5, axis=1)
    np.testing.assert_allclose(distance, 0.5, atol=1e-6)
