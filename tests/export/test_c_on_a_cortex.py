"""A network that predicts and learns on a Cortex-M4, emulated: the C files with nothing but a vector table around."""

import shutil
import subprocess

import numpy as np
import pytest
from c_files import FLAGS

from thalweg import Input, Sequential, layers
from thalweg.export.c.c_training import c_training_files
from thalweg.export.exported_network import network_of
from thalweg.export.exported_training import training_of
from thalweg.optimizers import Adam

GCC, QEMU = shutil.which("arm-none-eabi-gcc"), shutil.which("qemu-system-arm")
MAIN = """
#include "net.h"

extern uint32_t top_of_stack;
int main(void);
void started(void);
__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&top_of_stack, (const void *)started};

/* The emulator's own calls: 4 writes a text, 24 ends. */
static void call(uint32_t what, const void *operand)
{
    register uint32_t r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = operand;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void told(float number)
{
    union {
        float number;
        uint32_t bits;
    } both = {number};
    char text[10];
    for (int32_t i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[both.bits >> (28 - 4 * i) & 15];
    }
    text[8] = '\\n';
    text[9] = 0;
    call(4, text);
}

int *__errno(void); /* which the library of mathematics sets */
int *__errno(void)
{
    static int error;
    return &error;
}

void *memset(void *, int, size_t);
void *memset(void *start, int value, size_t count)
{
    unsigned char *bytes = start;
    while (count--) {
        *bytes++ = (unsigned char)value;
    }
    return start;
}

static const float x[] = {X};
static const float y[] = {Y};
static float weights[NET_WEIGHTS];

int main(void)
{
    float y_pred[3];
    net_predict(x, y_pred);
    for (int32_t i = 0; i < 3; i++) {
        told(y_pred[i]);
    }
    for (int32_t i = 0; i < 3; i++) {
        told((float)net_train_step(x, y, 0.01f));
    }
    net_get_weights(weights);
    for (int32_t i = 0; i < NET_WEIGHTS; i++) {
        told(weights[i]);
    }
    return 0;
}

void started(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xF00000; /* the floating-point unit */
    __asm__ volatile("dsb\\nisb");
    main();
    call(24, (const void *)0x20026);
    for (;;) {
    }
}
"""
LAYOUT = """
MEMORY { flash : ORIGIN = 0, LENGTH = 1M  ram : ORIGIN = 0x20000000, LENGTH = 128K }
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.ARM.ex*) } > flash
    .data : { *(.data*) *(.bss*) *(COMMON) } > ram
    top_of_stack = ORIGIN(ram) + LENGTH(ram);
}
"""


@pytest.mark.skipif(GCC is None or QEMU is None, reason="needs arm-none-eabi-gcc and qemu-system-arm")
def test_it_predicts_and_learns_without_a_system(tmp_path):
    model = Sequential(
        [Input((6, 6, 1)), layers.Conv2D(2, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
         layers.Dropout(0.1), layers.Dense(3, "softmax")], seed=1, engine="reference",
    )  # fmt: skip
    model.compile(Adam(0.01), "sparse_categorical_crossentropy")
    model.build()
    source = c_training_files(network_of(model, 1), training_of(model, 4), 4, "net", "On a Cortex-M4")
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(4, 6, 6, 1)).astype(np.float32), np.array([0, 1, 2, 1], np.float32)
    lists = {"X": ", ".join(f"{v}f" for v in x.ravel()), "Y": ", ".join(f"{v}f" for v in y)}
    main = MAIN
    for name, numbers in lists.items():
        main = main.replace(f"{{{name}}}", f"{{{numbers}}}")
    for name, text in {"net.c": source.code, "net.h": source.header, "main.c": main, "net.ld": LAYOUT}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    chip = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O2"]
    for name in ("net", "main"):
        flags = FLAGS if name == "net" else ["-ffreestanding", "-fno-tree-loop-distribute-patterns"]
        subprocess.run([GCC, *flags, *chip, "-c", f"{name}.c"], cwd=tmp_path, check=True, timeout=120)
    linked = [GCC, *chip, "-nostartfiles", "-T", "net.ld", "net.o", "main.o", "-o", "net.elf", "-lm", "-lgcc"]
    subprocess.run(linked, cwd=tmp_path, check=True, timeout=120)
    run = [QEMU, "-M", "mps2-an386", "-nographic", "-semihosting", "-kernel", "net.elf"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    words = [int(line, 16) for line in (done.stdout + done.stderr).split()]
    numbers = np.array(words, np.uint32).view(np.float32)
    np.testing.assert_allclose(numbers[:3], model.predict(x[:1])[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(numbers[3:6], 0)
    model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    weights = np.concatenate([w.reshape(-1) for w in network_of(model, 1).weights.values()])
    np.testing.assert_allclose(numbers[6:], weights, rtol=1e-5, atol=1e-5)
