"""What all pictures share: formats, fonts and colours."""

#: The endings of pictures by matplotlib.
ENDINGS = (".png", ".svg", ".pdf")

#: Fonts with equal widths, so that text measured on one machine fits its box on another; then one that most machines
#: have.
FONTS = ("Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")
INK, MUTED, LINE = "#1F2328", "#57606A", "#6E7781"

#: Okabe and Ito's colours, which colour-blind people can tell apart.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
