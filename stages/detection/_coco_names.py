"""The names of the COCO classes, at their numbers minus one: the columns of a COCO detector's answer.

Of the numbers 1 to 90, ten were never used. Source: the categories of COCO 2017, cocodataset.org.
"""

_LIST = """
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, -,
    stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
    -, backpack, umbrella, -, -, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
    baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, -, wine glass, cup,
    fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut,
    cake, chair, couch, potted plant, bed, -, dining table, -, -, toilet, -, tv, laptop, mouse, remote,
    keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, -, book, clock, vase, scissors,
    teddy bear, hair drier, toothbrush
"""
NAMES = tuple("" if name == "-" else name for name in " ".join(_LIST.split()).split(", "))
COLUMNS = {name: column for column, name in enumerate(NAMES) if name}
