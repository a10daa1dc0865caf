"""The native kernel of every instruction, by the instruction's name."""

from __future__ import annotations

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.kernels.generated.activated_losses import kernel_of_activated
from thalweg.engine.native.kernels.generated.custom import is_custom, kernel_of_custom
from thalweg.engine.native.kernels.generated.formulas import is_formula, kernel_of_formula
from thalweg.engine.native.kernels.generated.updates import kernel_of_statements
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.activated import ActivatedLoss

# The files of this folder and the kernels in them. They aren't imported: their decorators are numba's.
FILES = {
    "batches": "gather gather_bytes store",
    "augmentation": "random_flip random_warp random_contrast",
    "linear": "affine weight_gradient bias_gradient transpose input_gradient",
    "rewritten.input_split": "gather_share affine_share affine_sum share_weight_gradient",
    "convolution": "convolution kernel_gradient flip transposed_convolution",
    "depthwise": "depthwise_convolution depthwise_transposed_convolution depthwise_kernel_gradient",
    "rewritten.image_columns": """
        convolution_by_columns transposed_convolution_by_columns kernel_gradient_by_columns layout
    """,
    "rewritten.winograd_columns": "winograd_convolution_by_columns winograd_gradient_by_columns",
    "rewritten.winograd": "winograd_kernel winograd_convolution winograd_gradient winograd_kernel_gradient",
    "pooling": "max_pooling max_pooling_adjoint average_pooling average_pooling_adjoint",
    "normalization": """
        batch_moments batch_normalization batch_sums channel_gradient batch_normalization_adjoint moving_average
        normalization
    """,
    "standardization": "standardization standardization_adjoint channel_scale channel_scale_gradient",
    "shapes": "zero_padding cropping upsampling upsampling_adjoint concatenation part permutation",
    "activations": """
        sigmoid sigmoid_adjoint log_sigmoid log_sigmoid_adjoint tanh tanh_adjoint tanh_shrink
        tanh_shrink_adjoint softplus softplus_adjoint softsign softsign_adjoint exponential exponential_adjoint
        silu silu_adjoint gelu gelu_adjoint gelu_approximate gelu_approximate_adjoint mish mish_adjoint golu
        golu_adjoint elu elu_adjoint celu celu_adjoint selu selu_adjoint squareplus squareplus_adjoint gaussian
        gaussian_adjoint sine sine_adjoint arctan arctan_adjoint bent_identity bent_identity_adjoint
    """,
    "rectifiers": """
        relu relu_adjoint general_relu general_relu_adjoint leaky_relu leaky_relu_adjoint relu6 relu6_adjoint
        hard_sigmoid hard_sigmoid_adjoint hard_silu hard_silu_adjoint hard_tanh hard_tanh_adjoint hard_shrink
        hard_shrink_adjoint soft_shrink soft_shrink_adjoint sparse_plus sparse_plus_adjoint sparse_sigmoid
        sparse_sigmoid_adjoint threshold threshold_adjoint step step_adjoint
    """,
    "parametric": "prelu prelu_adjoint prelu_gradient",
    "rowwise": "softmax softmax_adjoint log_softmax log_softmax_adjoint sparsemax sparsemax_adjoint glu glu_adjoint",
    "elementwise": "add copy dropout rescale",
    "noise": "spatial_dropout gaussian_noise gaussian_dropout alpha_dropout alpha_dropout_adjoint",
    "losses.elementwise_losses": """
        squared_error squared_error_gradient absolute_error absolute_error_gradient percentage_error
        percentage_error_gradient squared_logarithmic_error squared_logarithmic_error_gradient log_cosh
        log_cosh_gradient huber huber_gradient quantile quantile_gradient poisson poisson_gradient kl_divergence
        kl_divergence_gradient hinge hinge_gradient squared_hinge squared_hinge_gradient binary_crossentropy
        binary_crossentropy_gradient binary_crossentropy_logits binary_crossentropy_logits_gradient
        binary_focal_crossentropy binary_focal_crossentropy_gradient binary_focal_crossentropy_logits
        binary_focal_crossentropy_logits_gradient
    """,
    "losses.row_losses": """
        categorical_crossentropy categorical_crossentropy_gradient sparse_categorical_crossentropy
        sparse_categorical_crossentropy_gradient categorical_crossentropy_logits
        categorical_crossentropy_logits_gradient sparse_categorical_crossentropy_logits
        sparse_categorical_crossentropy_logits_gradient categorical_focal_crossentropy
        categorical_focal_crossentropy_gradient categorical_focal_crossentropy_logits
        categorical_focal_crossentropy_logits_gradient generalized_cross_entropy
        generalized_cross_entropy_gradient categorical_hinge categorical_hinge_gradient cosine_similarity
        cosine_similarity_gradient dice dice_gradient tversky tversky_gradient gaussian_nll
        gaussian_nll_gradient gaussian_nll_logarithm gaussian_nll_logarithm_gradient
    """,
    "losses.centers": "center_distance center_distance_gradient center_sums center_update",
    "losses.penalties": "activity_penalty activity_penalty_gradient orthogonal_penalty orthogonal_penalty_gradient",
    "updates.constraints": "norm_constraint non_negative",
    "losses.loss_loops": "penalty penalty_gradient",
    "metrics": """
        equal_matches binary_matches categorical_matches sparse_matches squares_and_targets top_matches
        sparse_top_matches confusion_counts class_counts score_histogram row_correlations moments
    """,
    "updates.gradients": "reduce squared_norm clip_norm",
    "updates.matrix_updates": "lamb adafactor muon",
}
KERNELS = {name: Kernel(f"kernels.{file}", name) for file, names in FILES.items() for name in names.split()}
MACHINE = Kernel("runtime.machine", "machine")


def kernel_of(i: Instruction) -> Kernel:
    """The kernel that carries out an instruction; that of a formula or of a user's function is made for it."""
    if isinstance(i, ActivatedLoss):
        return kernel_of_activated(i, KERNELS[i.activation.kernel].module)
    if is_custom(i):
        return kernel_of_custom(i)
    if isinstance(i, Statements):
        return kernel_of_statements(i)
    return kernel_of_formula(i) if is_formula(i) else KERNELS[i.kernel]
