"""The models of the paper, as pure modules chosen at build.

Every file of this room, and every docstring of the package, uses the paper's letters:

==========  =====================================================
B           images in a batch
C           channels of an image
H x W       height and width of an image, pixels
P           side of a patch, pixels
h x w       the grid of patches, h = H / P and w = W / P
N           patches, N = h * w
S           tokens in the sequence, N and the class token
D           width of the model
F           width of the MLP's hidden layer
k, d        heads and the width of a head (D / k unless said)
L           layers (encoder blocks)
K           classes
==========  =====================================================
"""
