"""The colours of figures and pages: Okabe and Ito's, which colour-blind readers can tell apart."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6B6B6B"
