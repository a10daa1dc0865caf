"""Families of micro-kernels, which differ in compile-time constants, such as the height and width of a tile."""

from llvmlite import ir

from thalweg.engine.native.compiler.kernel import HOME, WHOLE, Kernel, symbol_of
from thalweg.engine.native.compiler.llvm import I64, invoke, pointer
from thalweg.engine.native.language.callables import emitted
from thalweg.engine.native.linalg.awaiting import AWAITED


class Family:
    """Micro-kernels that differ in compile-time constants, and a function that jumps to one of them by its key.

    They are object files of their own, one for each that was ever called (see `compiler/on_demand.py`), and the
    function is linked with each kernel that calls them. In a library of ready kernels there are all.

    A micro-kernel takes the key too, so that its arguments needn't be moved and the call becomes a jump. It is not
    inlined, and its loops are not unrolled (optsize): that would double the compile time and gain nothing.
    """

    def __init__(self, name, kind, kernels, finished=False):
        """name: of the family in the module of `kind`, the class that emits its functions. kernels: key → constants.

        finished: whether LLVM's passes would find nothing to optimise in what is emitted.
        """
        self.kernel = Kernel(kind.__module__.removeprefix(f"{HOME}."), name)
        self.kind, self.kernels, self.finished = kind, kernels, finished

    def call(self, builder, key, arguments):
        """Emits the call of the micro-kernel with this key, a value of the emitted code."""
        invoke(builder, symbol_of(self.kernel), ir.VoidType(), key, *arguments)

    def function(self, rest=None, **weights):
        """The function by which kernels call a micro-kernel: of numbers, whose sum with these weights is the key, and
        the arguments. rest: what else the key has, (builder, {argument: value}) → an int64."""

        @emitted(names=(*weights, *self.kind.arguments))
        def call(builder, *values):
            key, given = integer(0), values[len(weights) :]
            for weight, value in zip(weights.values(), values, strict=False):
                key = builder.add(key, builder.mul(value, integer(weight)))
            if rest is not None:
                key = builder.add(key, rest(builder, dict(zip(self.kind.arguments, given, strict=True))))
            self.call(builder, key, given)

        return call

    def emit(self, module, member=""):
        """Adds the function; the micro-kernel with this key alone; or the function and all that it jumps to."""
        if member not in ("", WHOLE):
            self._member(module, int(member), symbol_of(self.kernel._replace(member=member)), "optsize")
            return
        builder = ir.IRBuilder(self._function(module, symbol_of(self.kernel)).append_basic_block("entry"))
        (self._jump if member else self._look_up)(module, builder)
        builder.ret_void()

    def _member(self, module, key, name, *attributes):
        """Adds a micro-kernel."""
        function = self._function(module, name, *attributes)
        emitter = self.kind(function, *self.kernels[key])
        emitter.emit()
        emitter.builder.ret_void()
        return function

    def _jump(self, module, builder):
        """Emits a jump to one of the micro-kernels in this module."""
        nothing = builder.append_basic_block("nothing")
        switch = builder.switch(builder.function.args[0], nothing)
        for key in self.kernels:
            kernel = self._member(module, key, f"kernel_{key}", "noinline", "optsize")
            kernel.linkage = "linkonce_odr"
            builder.position_at_end(block := builder.append_basic_block(f"key_{key}"))
            builder.call(kernel, builder.function.args, tail=True)
            builder.ret_void()
            switch.add_case(integer(key), block)
        builder.position_at_end(nothing)

    def _look_up(self, module, builder):
        """Emits a jump to a micro-kernel whose address is in the key's slot, or is awaited there."""
        function, name = builder.function, bytearray(f"{symbol_of(self.kernel)}\0".encode())
        key, first = function.args[0], min(self.kernels)
        keys = range(first, 1 + max(self.kernels))
        nothing = self._function(module, "nothing")  # for keys in between, with which no tile is computed
        ir.IRBuilder(nothing.append_basic_block()).ret_void()
        filled = [integer(0) if key in self.kernels else nothing.ptrtoint(I64) for key in keys]
        slots = _table(module, "slots", ir.Constant(ir.ArrayType(I64, len(filled)), filled))
        family = _table(module, "family", ir.Constant(ir.ArrayType(ir.IntType(8), len(name)), name))
        place = builder.sub(key, integer(first))
        with builder.if_then(builder.icmp_unsigned("<", place, integer(len(keys)))):
            slot = builder.gep(slots, [integer(0), place])
            with builder.if_then(builder.icmp_unsigned("==", builder.load_atomic(slot, "acquire", 8), integer(0))):
                request = builder.ptrtoint(family, I64), key, builder.ptrtoint(slot, I64)
                invoke(builder, symbol_of(AWAITED.kernel), ir.VoidType(), *request)
            address = builder.load_atomic(slot, "acquire", 8)
            with builder.if_then(builder.icmp_unsigned("!=", address, integer(0))):
                builder.call(pointer(builder, address, function.function_type), function.args, tail=True)
                builder.ret_void()

    def _function(self, module, name, *attributes):
        parameters = [I64] * (1 + len(self.kind.arguments))
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), name)
        for attribute in ("nounwind", *attributes):
            function.attributes.add(attribute)
        return function


def _table(module, name, content):
    """Adds numbers that the module's functions find by name."""
    table = ir.GlobalVariable(module, content.type, name)
    table.initializer, table.linkage = content, "internal"
    return table


def integer(value):
    return ir.Constant(I64, value)
