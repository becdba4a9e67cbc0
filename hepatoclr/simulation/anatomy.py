"""A synthetic abdomen in the portal-venous phase: what lies at each point of a patient's body.

Organs are signed distances (mm, negative inside) in a reference body: x to the patient's left,
y to the back, z to the head, origin on the midline at the height of the liver's dome. All points
are (x, y, z), those of tubes (x, y, z, radius). Organs are painted in turn, and each keeps clear
of those before it, so they never overlap however fibrosis has changed their size.
"""

from dataclasses import replace

import numpy as np

from hepatoclr.simulation.body import ASCITES, KIDNEY, SPLEEN, Body
from hepatoclr.simulation.liver import paint_liver
from hepatoclr.simulation.patients import Patient, grid
from hepatoclr.simulation.shapes import ellipsoid, field, threads, tube, wrap


def paint_wall(b: Body) -> None:
    """Skin, fat under it, muscle with its fat planes, and fat throughout the cavity."""
    g, hu = b.g, b.who.hu
    wall = ellipsoid(g, (0, 0), (148, 108), 2.3)
    skin = wall - b.who.sizes["fat"] * (1 - 0.003 * g.y)
    b.paint(skin, 60)
    b.paint(skin + 2, hu["fat"])
    b.paint(wall, hu["muscle"] + 5 * field(b.who.rng("muscle"), g.axes, 16))
    wobble = field(b.who.rng("planes"), g.axes, 45)
    planes = np.where(g.y < 40, np.abs(wall + 9 + 2 * wobble), 99)
    for side in (-1, 1):
        back = ellipsoid(g, (side * 36, 76), (31, 20)) + 3 * wobble
        planes = np.minimum(planes, np.abs(back))
    b.paint(np.maximum(planes - 0.7 * wobble, wall + 2), -30)
    b.paint(b.cavity, hu["fat"] + 4 * field(b.who.rng("fat"), g.axes, 30))


def paint_chest(b: Body) -> None:
    """Lungs above the diaphragm, the heart on it."""
    hu = b.who.hu
    box, g = b.g.crop((-150, -110, -140), (150, 110, 90))
    heart = ellipsoid(replace(g, x=g.x - 0.25 * g.y), (28, -28, 30), (58, 42, 46))
    column = np.minimum(ellipsoid(g, (4, 10), (24, 22)), ellipsoid(g, (5, -75), (14, 30)))
    lung = np.maximum(b.cavity[box] + 2, 3 - b.abdomen[box])
    lung = np.maximum(lung, 4 - np.minimum(heart, column))
    b.paint(lung, hu["lung"] + 0.5 * g.y, box)
    b.paint(np.maximum(threads(b.who.rng("lung"), g.axes, 32) - 1.4, lung + 2), 40, box)
    heart = np.maximum(heart, np.maximum(b.cavity[box] + 6, 3 - b.abdomen[box]))
    b.place(heart, 105, box)
    for centre, radii in (((44, -18, 32), (20, 22, 30)), ((6, -44, 34), (26, 15, 26))):
        b.paint(ellipsoid(g, centre, radii), hu["aorta"], box)
    b.paint(ellipsoid(g, (-18, -12, 34), (20, 20, 24)), hu["portal"], box)


def paint_spine(b: Body) -> None:
    """Vertebral bodies with discs between, canal, arch and processes."""
    hu = b.who.hu
    box, g = b.g.crop((-62, 0, -1e3), (62, 120, 1e3))
    level = wrap(g.z + b.who.sizes["disc_phase"], 34.0)
    waist = (np.abs(level) / 14) ** 2
    body = ellipsoid(g, (0, 44), (20, 15.5), 2.4) - 1.5 * waist
    vertebra = np.maximum(body, np.abs(level) - 14)
    arch = np.maximum(ellipsoid(g, (0, 68), (17, 13)), np.abs(level + 2) - 11)
    periodic = replace(g, z=level, x=np.abs(g.x))
    processes = tube(periodic, [(13, 66, 0, 5), (36, 74, 1, 4)])
    processes = np.minimum(processes, tube(periodic, [(0, 80, -4, 3.5), (0, 93, -9, 4)]))
    grain = 45 * field(b.who.rng("marrow"), g.axes, 9)
    b.paint(body, 95, box)
    for bone in (np.minimum(arch, processes), vertebra):
        b.paint(bone, hu["bone"], box)
        b.paint(bone + 1.6, hu["marrow"] + grain, box)
    b.paint(ellipsoid(g, (0, 68), (10.5, 8.5)), 5, box)
    b.paint(ellipsoid(g, (0, 68), (6, 5)), 40, box)
    b.room[box] = np.minimum(b.room[box], body)


def paint_ribs(b: Body) -> None:
    """Ribs that slope down from the spine; the lower the rib, the earlier it ends."""
    hu, g = b.who.hu, b.g
    arc = np.abs(np.arctan2(g.x, g.y + 11)) / np.pi  # 0 at the spine, 1 at the breast bone
    origin = g.z + 190 * (arc - 0.1) + b.who.sizes["rib_phase"]
    across = wrap(origin, 29.0)
    end = np.clip(0.0075 * (origin - across + 125), 0, 1)
    rib = np.sqrt((across * 0.75 / 5.5) ** 2 + ((b.cavity - 6) / 4.5) ** 2) * 5 - 5
    bone = np.maximum(rib, np.maximum(0.12 - arc, arc - np.minimum(end, 0.72)) * 250)
    cartilage = np.maximum(rib, np.maximum(0.72 - arc, arc - np.minimum(end, 0.92)) * 250)
    b.paint(cartilage, 110)
    b.paint(bone, hu["bone"])
    b.paint(bone + 3, hu["marrow"])
    b.paint(ellipsoid(g, (0, -101, 45), (17, 6, 62)), hu["marrow"] + 60)


def paint_great_vessels(b: Body) -> None:
    """Aorta, inferior vena cava, oesophagus, crura of the diaphragm, psoas."""
    hu = b.who.hu
    box, g = b.g.crop((-70, -30, -1e3), (70, 75, 1e3))
    aorta = tube(g, [(20, 20, 60, 11.5), (14, 17, -40, 11), (5, 15, -110, 10), (3, 16, -260, 8)])
    b.place(aorta, hu["aorta"], box, gap=-3)
    if hu["calcium"]:  # plaques in the wall of the aorta
        plaque = np.abs(aorta) - 1.2 + np.maximum(1.2 - field(b.who.rng("plaques"), g.axes, 18), 0)
        b.paint(plaque, hu["calcium"], box)
    k = b.who.sizes["cava"]
    cava = [(-20, -4, 20, 13), (-20, 8, -20, 12 * k), (-22, 13, -90, 11 * k), (-19, 16, -260, 10)]
    flat = replace(g, y=1.2 * g.y - 2.5)
    b.place(tube(flat, cava), hu["portal"] - 8, box, gap=0, margin=-1.5)
    gullet = [(8, 4, 60, 8), (12, 2, -5, 8), (34, 4, -30, 9)]
    b.place(tube(g, gullet), hu["muscle"], box, gap=0)
    for side in (-1, 1):
        crus = tube(g, [(side * 18 + 4, 16, -35, 4.5), (side * 15, 27, -130, 4)])
        b.place(crus, hu["muscle"], box, gap=0.5)
        psoas = tube(g, [(side * 25, 42, -105, 5), (side * 36, 42, -260, 22)])
        b.place(psoas, hu["muscle"], box, gap=0)


def paint_kidneys(b: Body) -> None:
    """Cortex, slightly darker pyramids, a fatty sinus, and fat around."""
    hu = b.who.hu
    for side, low in ((-1, -128), (1, -118)):
        x = side * 60
        box, g = b.g.crop((x - 55, -20, low - 75), (x + 55, 90, low + 75))
        tilted = replace(g, x=g.x + side * 0.14 * (g.z - low), y=g.y + 0.1 * (g.z - low))
        sinus = ellipsoid(tilted, (x - side * 17, 28, low), (15, 9, 22))
        kidney = np.maximum(ellipsoid(tilted, (x, 36, low), (27, 23, 52), 2.2), -sinus)
        kidney = b.place(kidney, hu["kidney"], box, margin=b.who.sizes["gap"] - 1, label=KIDNEY)
        pyramids = kidney + 6 + 3 * field(b.who.rng("pyramids"), g.axes, 17)
        b.paint(pyramids, hu["medulla"], box)
        b.paint(sinus + 6, 8, box)
        hilum = tube(g, [(side * 12, 18, low + 6, 4), (side * 44, 29, low + 2, 4)])
        b.paint(np.maximum(hilum, 1 - b.room[box]), hu["portal"] - 10, box)


def paint_portal_vein(b: Body) -> None:
    """The portal trunk with the splenic vein and the superior mesenteric vessels behind it."""
    r = b.who.sizes["portal"]
    box, g = b.g.crop((-60, -50, -1e3), (110, 60, -40))
    trunk = [(0, -2, -108, r), (-14, 0, -92, r), (-34, -4, -76, r)]
    splenic = [(0, -2, -108, 0.8 * r), (30, 4, -98, 0.75 * r), (72, 26, -80, 0.6 * r)]
    mesenteric = [(-2, -4, -108, r), (-8, -16, -150, 5), (-4, -20, -260, 4)]
    vein = np.minimum(tube(g, trunk), np.minimum(tube(g, splenic), tube(g, mesenteric)))
    b.place(vein, b.who.hu["portal"], box, gap=0.5, margin=-1.5)
    artery = tube(g, [(4, 6, -100, 4), (8, -14, -118, 4), (10, -20, -260, 3)])
    b.place(artery, b.who.hu["aorta"], box, gap=0.5)


def paint_spleen(b: Body) -> None:
    """A crescent along the left wall, hollow towards the stomach."""
    if b.who.sizes["removed_spleen"]:
        return
    k = b.who.sizes["spleen"]
    box, g = b.g.crop((10, -60, -200), (150, 110, 10))
    along, across = 0.80 * (g.y - 36) - 0.6 * (g.x - 92), 0.6 * (g.y - 36) + 0.8 * (g.x - 92)
    own = replace(g, x=across, y=along)
    spleen = ellipsoid(own, (6 - 10 * k, 0, -44 - 22 * k), (27 * k, 52 * k, 52 * k))
    hollow = ellipsoid(g, (56 - 10 * k, -4, -66), (36, 36, 44))
    inset = 2.0 + 0.1 * b.who.sizes["ascites"]
    spleen = np.maximum(np.maximum(spleen, -hollow), b.abdomen[box] + inset)
    spleen += 1.2 * field(b.who.rng("spleen"), g.axes, 34)
    b.place(spleen, b.who.hu["spleen"], box, label=SPLEEN)


def paint_pancreas(b: Body) -> None:
    """A lobulated band from the duodenum to the hilum of the spleen."""
    box, g = b.g.crop((-60, -60, -170), (110, 50, -60))
    head, tail = [(-26, -8, -138, 11), (-20, -16, -116, 13)], [(40, -8, -96, 9), (76, 18, -84, 8)]
    course = [*head, (8, -24, -104, 8), *tail]
    lobules = 1.8 * field(b.who.rng("pancreas"), g.axes, 13)
    b.place(tube(g, course) + lobules, b.who.hu["muscle"] + 32, box, gap=0.5)


def paint_stomach(b: Body) -> None:
    """Stomach and duodenum: wall, fluid, and gas in front of a level."""
    sizes, hu = b.who.sizes, b.who.hu
    k = sizes["stomach"]
    box, g = b.g.crop((-70, -110, -190), (130, 60, 0))
    fundus = [(40, 18, -28, 14 * k), (66, 2, -44, 34 * k), (74, -24, -72, 30 * k)]
    antrum = [(60, -44, -100, 25 * k), (22, -52, -114, 20 * k), (-16, -42, -112, 13 * k)]
    duodenum = [(-34, -24, -110, 12), (-42, -2, -126, 11), (-36, 8, -160, 11)]
    folds = 1.5 * field(b.who.rng("folds"), g.axes, 20)
    outside = np.maximum(tube(g, fundus + antrum + duodenum) + folds, b.abdomen[box] + 4)
    outside = b.place(outside, hu["muscle"] + 25, box, gap=sizes["gap"])
    level = g.axes[1][:, None] + 25 - 25 * sizes["gas"]
    content = hu["fluid"] + 10 + sizes["oral"] - 950 * np.clip(0.5 - level / b.edge, 0, 1)
    b.paint(outside + 4 + 1.5 * folds, content, box)


def paint_bowel(b: Body) -> None:
    """Colon with haustra and stool, loops of small bowel, mesenteric vessels in the fat."""
    sizes, hu = b.who.sizes, b.who.hu
    box, g = b.g.crop((-150, -110, -1e3), (150, 80, -60))
    rising = [(-88, 20, -270, 24), (-88, 8, -190, 22), (-66, -30, -158, 20)]
    across = [(-30, -62, -148, 18), (14, -66, -156, 18), (58, -58, -136, 18)]
    falling = [(94, -18, -96, 17), (106, 22, -128, 14), (104, 26, -270, 14)]
    haustra = 3.5 * field(b.who.rng("haustra"), g.axes, 26)
    inside = b.abdomen[box] + 4
    colon = np.maximum(tube(g, rising + across + falling) + haustra, inside)
    colon = b.place(colon, 60, box, gap=sizes["gap"])
    bubbles = field(b.who.rng("stool"), g.axes, 13) - 0.012 * (g.y + 20) - 0.5 - sizes["stool"]
    stool = 25 + 25 * field(b.who.rng("mixed"), g.axes, 8) - 850 * np.clip(3 * bubbles, 0, 1)
    b.paint(colon + 2.5, stool, box)
    loops = (0.3 - sizes["bowel"] - field(b.who.rng("loops"), g.axes, 36)) * 5
    region = ellipsoid(g, (0, -30, -205), (100, 52, 90))
    loops = b.place(np.maximum(np.maximum(loops, region), inside), 85, box, gap=1.5)
    b.paint(loops + 3, 30 + 0.7 * sizes["oral"] + 15 * field(b.who.rng("chyme"), g.axes, 15), box)
    vessels = threads(b.who.rng("mesentery"), g.axes, 30) - 1.6
    b.place(np.maximum(vessels, np.maximum(inside + 6, g.y - 20)), hu["portal"] - 20, box, gap=0)


def paint_ascites(b: Body) -> None:
    """Fluid between the organs and the wall, and in late stages between the loops of bowel."""
    depth = b.who.sizes["ascites"]
    if depth < 1:
        return
    along_wall = depth * (1 + 0.35 * field(b.who.rng("ascites"), b.g.axes, 60))
    mesentery = 20 - depth - 6 * field(b.who.rng("mesenteric"), b.g.axes, 40)
    fluid = np.maximum(b.abdomen + 1.5, np.minimum(-b.abdomen - along_wall, mesentery))
    behind_peritoneum = b.g.y - 34 - 0.3 * np.abs(b.g.x)
    fluid = np.maximum(fluid, np.maximum(behind_peritoneum, 0.5 - b.room))
    b.paint(fluid, b.who.hu["fluid"])
    b.labels[fluid < 0] = ASCITES


def paint_arms(b: Body) -> None:
    """Arms at the side of the body, where they could not be raised."""
    if not b.who.sizes["arms"]:
        return
    g, hu, reach = b.g, b.who.hu, 152 + b.who.sizes["fat"] + 38
    for side in (-1, 1):
        arm = ellipsoid(g, (side * reach, 12), (38, 44))
        b.paint(arm, hu["fat"])
        b.paint(arm + 9 + 3 * field(b.who.rng("arms"), g.axes, 40), hu["muscle"])
        b.paint(ellipsoid(g, (side * reach, 14), (11, 11)), hu["bone"] + 350)
        b.paint(ellipsoid(g, (side * reach, 14), (6, 6)), hu["marrow"] - 120)


LAYERS = (
    paint_arms,
    *(paint_wall, paint_chest, paint_spine, paint_ribs, paint_great_vessels, paint_kidneys),
    *(paint_portal_vein, paint_liver, paint_spleen, paint_pancreas, paint_stomach, paint_bowel),
    paint_ascites,
)


def render(who: Patient, z: np.ndarray, y: np.ndarray, x: np.ndarray, edge: float) -> tuple:
    """Sample a patient.

    Args:
        who: The patient.
        z, y, x: Body millimetres, each ascending; z = 0 is the height of the liver's dome.
        edge: Width of the transition from tissue to tissue, mm: a pixel.

    Returns:
        Density in HU (float32) and labels (uint8), shape (z, y, x).
    """
    body = Body(who, grid(who, z, y, x), edge)
    for paint in LAYERS:
        paint(body)
    return body.hu, body.labels
