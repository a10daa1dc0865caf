"""Names of Keras's modules that aren't here, and what to use instead: one table for errors, docs and tests.

A module of thalweg that called `answer_for` answers for them: `layers.Pipeline`, `from thalweg.layers import Pipeline`
and `import thalweg.applications` raise with the row's sentence, and `hasattr` stays False. The table of what *objects*
lack is `support.hooks`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from thalweg.errors import AbsentModuleError, AbsentNameError

OWN = __name__.partition(".")[0]
GUIDE = "docs/guides/own-training-steps.md"
MINIMIZE = f"here a train_step calls self.minimize(loss, weights, optimizer), see {GUIDE}"

SERIALIZED = "classes are named by registering them, keras.saving.register_keras_serializable, or in custom_objects"
GET = "what get_config returned goes to the class's from_config, and a name to get"
FLOAT32 = "a model computes in float32, or in float64 with Sequential(…, engine='reference', dtype='float64')"
ONE_CPU = "a model runs on the cores of one CPU, see the argument lanes of fit"
INSIDE = "Input and layers make tensors, add_weight makes weights, and the engine computes"
PICTURES = "draw pictures with matplotlib"
SOUNDS = "read the files into arrays, or give fit a utils.PyDataset that reads them"
BODIES = "volumes have Conv3D, pooling, Flatten and Reshape; other steps are a layer of your own with a call"
CHANGES = "images are changed by RandomFlip, RandomRotation, RandomZoom, RandomContrast and the other random layers"
OTHERS = "other libraries' programs can't be differentiated here; write a layer with a call in thalweg.ops"
SOUND = "compute the spectrogram beforehand, by SciPy or librosa"
CURVES = "compute it by scikit-learn's precision_recall_curve or roc_curve, from model.predict(x)"
ON_ARRAYS = "on arrays NumPy has it; in a network compose it of the functions that thalweg.ops has"
IN_OPS = "the functions are in thalweg.ops itself"

NAMES: dict[str, Sequence[tuple[str, str]]] = {  # module → (names, what to do instead)
    "": (
        ("DTypePolicy FloatDTypePolicy dtype_policies mixed_precision Quantizer quantizers", FLOAT32),
        ("device distribution", ONE_CPU),
        ("GradientTape", MINIMIZE),
        ("distillation", "distil in compute_loss, as examples/keras/distillation.py does"),
        ("Function KerasTensor Operation StatelessScope SymbolicScope name_scope", INSIDE),
        ("InputSpec", "a layer's build looks at the input_shape that it gets"),
        ("RematScope remat", "memory is planned once, and nothing is computed twice"),
        ("legacy", "optimizers and saving are those of Keras 3"),
        ("tree", "lists, tuples and dicts of arrays are taken as they are"),
        ("visualization", PICTURES),
        ("wrappers", "thalweg.sklearn has MLPClassifier and MLPRegressor, TabularClassifier and TabularRegressor"),
        ("estimator", "thalweg.sklearn has estimators"),
    ),
    "activations": (("deserialize", "activations.get takes a name, a formula, or what serialize returned"),),
    "applications": (
        (
            "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge DenseNet121 DenseNet169 DenseNet201 "
            "EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L EfficientNetV2M "
            "EfficientNetV2S InceptionResNetV2 InceptionV3 MobileNet MobileNetV3Large MobileNetV3Small NASNetLarge "
            "NASNetMobile ResNet101V2 ResNet152V2 ResNet50V2 convnext densenet efficientnet_v2 inception_resnet_v2 "
            "inception_v3 mobilenet mobilenet_v3 nasnet resnet_v2",
            "save the model by Keras as a .keras file, which load_model reads",
        ),
    ),
    "backend": (
        ("is_keras_tensor is_float_dtype is_int_dtype result_type standardize_dtype", FLOAT32),
        ("get_uid", "layers are named within their model: dense, dense_1, …"),
        ("set_epsilon", "ε is an argument of the layers, optimizers and losses that have one"),
    ),
    "callbacks": (
        ("CallbackList", "fit takes a list of callbacks"),
        ("OrbaxCheckpoint", "ModelCheckpoint saves models that train on bit for bit"),
        ("ProgbarLogger", "fit(verbose=1) shows progress"),
        ("RemoteMonitor", "a callback of your own sends what on_epoch_end gets; CSVLogger writes it"),
    ),
    "config": (
        ("dtype_policy set_dtype_policy", FLOAT32),
        ("set_backend", "the engine is an argument of a model, Sequential(…, engine='jax')"),
        ("set_epsilon", "ε is an argument of the layers, optimizers and losses that have one"),
        (
            "disable_flash_attention enable_flash_attention is_flash_attention_enabled is_nnx_enabled",
            "the native engine compiles its own kernels",
        ),
        (
            "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled",
            "fit(verbose=0), 1 or 2 says what is printed",
        ),
        (
            "disable_traceback_filtering enable_traceback_filtering is_traceback_filtering_enabled",
            "tracebacks are Python's own",
        ),
        ("enable_unsafe_deserialization", "nothing in a file is ever run"),
        ("max_epochs max_steps_per_epoch set_max_epochs set_max_steps_per_epoch", "give fit its epochs"),
    ),
    "constraints": (("deserialize", GET),),
    "export": (("ExportArchive", "a model leaves by model.export(path), in one of several formats"),),
    "initializers": (
        ("deserialize", GET),
        ("STFT STFTInitializer stft", "FromArray takes any array as initial weights"),
    ),
    "layers": (
        ("CuDNNLSTM CuDNNGRU", "LSTM and GRU are the layers; their weights have the same order of gates"),
        ("GroupedQueryAttention", "GroupQueryAttention"),
        ("Conv3DTranspose Convolution3DTranspose Cropping3D SpatialDropout3D UpSampling3D ZeroPadding3D", BODIES),
        (
            "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D "
            "AdaptiveMaxPooling2D AdaptiveMaxPooling3D",
            "give AveragePooling2D, MaxPooling2D, … a pool_size, or take the global ones",
        ),
        ("SpectralNormalization", "kernel_constraint=UnitNorm() or MaxNorm() bounds the weights"),
        ("CutMix MixUp", "mix x and y in a generator for fit, as a layer doesn't see labels, nor other rows"),
        (
            "AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization MaxNumBoundingBoxes "
            "RandAugment RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomGaussianBlur "
            "RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomSaturation "
            "RandomSharpness RandomShear Solarization",
            CHANGES,
        ),
        ("MelSpectrogram STFTSpectrogram", SOUND),
        ("Pipeline", "a Sequential of the layers"),
        ("FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper", OTHERS),
        ("ReversibleEmbedding", "ops.matmul(x, ops.transpose(embedding.embeddings)) in a layer of your own"),
        ("InputSpec", "a layer's build looks at the input_shape that it gets"),
        ("experimental", "the layers are in thalweg.layers itself"),
    ),
    "losses": (
        ("deserialize", GET),
        ("CTC ctc", "sequences without a known alignment can't be learnt here"),
        ("Circle circle", "a loss belongs to a row; give pairs as rows, as examples/keras/siamese_network.py does"),
    ),
    "metrics": (
        ("deserialize", GET),
        (
            "ConcordanceCorrelation concordance_correlation pearson_correlation",
            "the class PearsonCorrelation, or SciPy",
        ),
        ("PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity SpecificityAtSensitivity", CURVES),
    ),
    "ops": (
        ("nn numpy", IN_OPS),
        (
            "adaptive_average_pool adaptive_max_pool average_pool batch_normalization conv conv_transpose "
            "depthwise_conv layer_normalization max_pool rms_normalization separable_conv",
            "a layer does it, such as Conv2D, MaxPooling2D, LayerNormalization, made in __init__ and called in call",
        ),
        (
            "celu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh relu6 selu soft_shrink softsign "
            "sparse_plus sparse_sigmoid sparsemax squareplus swish tanh_shrink threshold",
            "thalweg.activations has these, to call or to give to a layer",
        ),
        (
            "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy ctc_loss ctc_decode",
            "thalweg.losses has the losses that there are",
        ),
        (
            "cond switch map vectorize vectorized_map custom_gradient",
            "a network is drawn once, so ops.where chooses, and ops.scan, ops.while_loop or a Python loop repeats",
        ),
        ("dtype is_tensor saturate_cast view view_as_complex view_as_real", FLOAT32),
        (
            "allclose angle append arccosh arcsinh arctanh argpartition argsort array_split bartlett bincount "
            "bitwise_and bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor "
            "blackman cbrt cdist cholesky_inverse conj conjugate corrcoef correlate cross deg2rad "
            "depth_to_space diag diagflat diff digitize divide_no_nan dsplit dstack eig empty empty_like "
            "erfc erfinv exp2 extract_sequences fabs fft fft2 fliplr flipud fmax fmin fmod fold gcd geomspace "
            "hamming hanning heaviside histogram hsplit hstack hypot i0 ifft2 imag in_top_k inner irfft isclose "
            "isin isneginf isposinf isreal istft jvp kaiser kron lcm ldexp left_shift logaddexp2 logdet "
            "logspace lu_factor matrix_rank median multi_hot nan_to_num nanargmax nanargmin nancumprod "
            "nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar "
            "nextafter nonzero percentile pinv polar psnr ptp quantile rad2deg real rearrange rfft right_shift "
            "rot90 scatter scatter_update searchsorted segment_min segment_prod select "
            "signbit sinc slice slice_update slogdet sort space_to_depth sparse_plus stft "
            "top_k trace trapezoid tri trunc unfold unique unravel_index vander vsplit vstack",
            ON_ARRAYS,
        ),
    ),
    "ops.linalg": (
        ("cholesky_inverse eig jvp lu_factor matrix_rank pinv", ON_ARRAYS),
    ),
    "ops.image": (
        ("scale_and_translate", "ops.image.affine_transform moves and scales, in perspective"),
        ("sobel_edges", "a DepthwiseConv2D with padding='same' whose kernel is given, and frozen"),
        ("ssim", "compute it beforehand, by SciPy or scikit-image"),
    ),
    "optimizers": (
        ("deserialize", GET),
        ("LossScaleOptimizer", FLOAT32),
        ("MultiOptimizer OptimizerMap", "one optimizer with learning_rate_factors={layer: factor}"),
        ("legacy", "the optimizers are in thalweg.optimizers itself"),
    ),
    "preprocessing": (
        ("text", "layers.TextVectorization splits and numbers texts"),
    ),
    "preprocessing.image": (("smart_resize", "layers.Resizing(height, width, crop_to_aspect_ratio=True) does it"),),
    "random": (
        ("beta binomial categorical gamma randint shuffle truncated_normal", ON_ARRAYS),
    ),
    "regularizers": (("deserialize", GET),),
    "saving": (
        ("CustomObjectScope", "custom_object_scope"),
        ("KerasFileEditor", "thalweg's files are safetensors, which its library reads and writes"),
        (
            "deserialize_keras_object serialize_keras_object get_custom_objects get_registered_name "
            "get_registered_object",
            SERIALIZED,
        ),
    ),
    "schedules": (("deserialize", GET),),
    "utils": (
        (
            "CustomObjectScope custom_object_scope deserialize_keras_object get_custom_objects get_registered_name "
            "get_registered_object register_keras_serializable serialize_keras_object",
            "thalweg.saving has register_keras_serializable and custom_object_scope",
        ),
        ("audio_dataset_from_directory", SOUNDS),
        ("bounding_boxes", "boxes around things aren't computed here"),
        ("Config", "a dict, or a dataclass"),
        ("get_file", "download it by urllib.request.urlretrieve(url, path); thalweg.datasets fetches its own"),
        ("get_source_inputs", "model.inputs"),
        (
            "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled Progbar",
            "fit(verbose=0), 1 or 2 says what is printed",
        ),
        ("is_keras_tensor", INSIDE),
        ("legacy", SERIALIZED),
        ("model_to_dot", "plot_model draws a model"),
        ("np_utils", "thalweg.utils has to_categorical itself"),
        ("split_dataset", "scikit-learn's train_test_split, or fit(validation_split=0.2)"),
        ("standardize_dtype", FLOAT32),
    ),
}  # fmt: skip
INSTEAD = {module: {name: text for names, text in rows for name in names.split()} for module, rows in NAMES.items()}


def sentence(module: str, name: str) -> str | None:
    """What to say of a name that a module lacks; None if it isn't Keras's."""
    instead = INSTEAD.get(module.partition(".")[2], {}).get(name)
    return None if instead is None else f"{module} has no {name}: {instead}"


def answer_for(name: str) -> None:
    """Lets a module, thalweg itself too, answer for what it lacks, as an attribute and in `from … import`."""
    module = sys.modules[name]
    otherwise = vars(module).get("__getattr__")

    def lacking(wanted: str) -> Any:
        said = sentence(name, wanted)
        if said is not None:
            raise AbsentNameError(said, name=wanted, obj=module)
        if otherwise is not None:
            return otherwise(wanted)
        raise AttributeError(f"module {name!r} has no attribute {wanted!r}", name=wanted, obj=module)

    vars(module)["__getattr__"] = lacking
    vars(module).setdefault("__path__", [])  # so that Python asks the finder, too


class Finder:
    """Asked last for a module: says what to use instead of one of Keras's; finds nothing."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Raises for a name in the table, also within a module in it: `thalweg.applications.vgg16`."""
        module, _, name = fullname.rpartition(".")
        if module == OWN or module.startswith(f"{OWN}."):
            said = sentence(module, name)
            if said is not None:
                raise AbsentModuleError(said)
        return None


sys.meta_path.append(Finder())
