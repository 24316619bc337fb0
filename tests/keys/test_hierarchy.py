"""The picture of the key hierarchy: its geometry."""

from keys.hierarchy import GAP_Y, HEIGHT, WIDTH, Node, picture


def node(name: str, *children: Node) -> Node:
    return Node(name, "", "", "mid", children=children)


def test_boxes_do_not_overlap_and_lie_inside_the_picture() -> None:
    drawn = picture(node("Root", node("a"), node("b", node("b1"), node("b2")), node("c")))
    boxes = drawn.boxes
    assert len(boxes) == 6
    for box in boxes:
        assert box.x >= 0
        assert box.x + WIDTH <= drawn.width
        assert box.y >= 0
        assert box.y + HEIGHT <= drawn.height
        for other in boxes:
            if other is not box and other.x == box.x:
                assert abs(other.y - box.y) >= HEIGHT + GAP_Y


def test_a_parent_stands_in_the_middle_of_its_children_and_is_joined_to_each() -> None:
    drawn = picture(node("Root", node("a"), node("b"), node("c")))
    places = {box.node.name: box for box in drawn.boxes}
    assert places["Root"].y == places["b"].y
    assert len(drawn.edges) == 3


def test_a_root_alone_is_one_box() -> None:
    drawn = picture(node("Root"))
    assert (len(drawn.boxes), drawn.edges, drawn.width) == (1, (), WIDTH + 2)
