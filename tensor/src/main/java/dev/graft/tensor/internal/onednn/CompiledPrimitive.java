package dev.graft.tensor.internal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.set_primitive_cache_capacity;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Scope;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import java.lang.ref.Reference;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl.scratchpad_mode;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * An operation of oneDNN compiled for one shape. It is freed once the cache has dropped it and nobody uses it. Safe for use by several threads.
 */
final class CompiledPrimitive {
    static final engine CPU = cpu();
    private static final Pointer NOWHERE = kept(new BytePointer(1));
    private static final ThreadLocal<stream> STREAM = ThreadLocal.withInitial(() -> kept(new stream(CPU)));

    /** The shapes that a primitive is compiled for. */
    interface PrimitiveShape {
        CompiledPrimitive create();
    }

    /** A cache of the most recent shapes. */
    static final class LruCache {
        private final int most;
        private final Map<PrimitiveShape, CompiledPrimitive> operations = new LinkedHashMap<>(16, 0.75f, true);

        LruCache(int most) {
            this.most = most;
        }

        void run(PrimitiveShape shape, @Nullable Tensor... tensors) {
            CompiledPrimitive primitive = acquire(shape);
            try {
                primitive.run(tensors);
            } finally {
                primitive.release();
            }
        }

        /** Removes all primitives. */
        void clear() {
            List<CompiledPrimitive> all;
            synchronized (operations) {
                all = List.copyOf(operations.values());
                operations.clear();
            }
            all.forEach(CompiledPrimitive::discard);
        }

        private CompiledPrimitive acquire(PrimitiveShape shape) {
            synchronized (operations) {
                CompiledPrimitive known = operations.get(shape);
                if (known != null) {
                    return known.retain();
                }
            }
            CompiledPrimitive made;
            try (Scope scope = new Scope()) {
                made = shape.create();
            }
            CompiledPrimitive gone;
            synchronized (operations) {
                gone = operations.put(shape, made.retain());
                if (operations.size() > most) {
                    Iterator<CompiledPrimitive> eldest = operations.values().iterator();
                    gone = eldest.next();
                    eldest.remove();
                }
            }
            // Outside: freeing what was compiled takes long, and others wait for the map.
            if (gone != null) {
                gone.discard();
            }
            return made;
        }
    }

    /**
     * An argument of a primitive, as oneDNN numbers it.
     *
     * @param bytes how far into its memory the primitive reads or writes
     */
    record Argument(int index, memory.desc shape, long bytes) {
        /** The bytes of a matrix with any number of rows or columns. */
        static final long UNKNOWN = 0;

        Argument(int index, memory.desc shape) {
            this(index, shape, shape.get_size());
        }
    }

    /** The objects that one thread at a time runs the primitive with: creating them takes longer than a small product. */
    private final class Call {
        private final IntMemoryMap all = kept(new IntMemoryMap());
        private final @Nullable memory[] places = new memory[arguments.length];
        private final @Nullable memory space;

        Call() {
            try (Scope scope = new Scope()) {
                for (int i = 0; i < places.length; i++) {
                    Argument argument = arguments[i];
                    places[i] = argument == null ? null : place(argument.index, argument.shape);
                }
                space = scratch == null ? null : place(DNNL_ARG_SCRATCHPAD, scratch);
            }
        }

        private memory place(int index, memory.desc shape) {
            memory place = kept(new memory(shape, CPU, NOWHERE));
            all.put(index, place);
            return place;
        }

        void free() {
            all.close();
            for (memory place : places) {
                if (place != null) {
                    place.close();
                }
            }
            if (space != null) {
                space.close();
            }
        }

        void run(@Nullable Tensor... tensors) {
            for (int i = 0; i < tensors.length; i++) {
                memory place = places[i];
                Tensor tensor = tensors[i];
                Argument argument = arguments[i];
                if (place != null && tensor != null && argument != null) {
                    require(tensor, argument.bytes);
                    place.set_data_handle(tensor.data_ptr());
                }
            }
            if (space != null && scratch != null) {
                space.set_data_handle(
                        Tensors.empty(ScalarType.Byte, scratch.get_size()).data_ptr());
            }
            stream now = STREAM.get();
            operation.execute(now, all);
            now._wait();
            Reference.reachabilityFence(tensors);
        }

        /** Refuses a tensor whose memory ends before what the primitive reads or writes. */
        private void require(Tensor tensor, long bytes) {
            if (tensor.nbytes() < bytes
                    && tensor.storage().nbytes() - tensor.storage_offset() * tensor.element_size() < bytes) {
                throw new TensorException(tensor.scalar_type() + " " + Arrays.toString(Tensors.shape(tensor))
                        + " ends before the " + bytes + " bytes that a product reads or writes");
            }
        }
    }

    private final primitive operation;
    private final memory.@Nullable desc scratch;
    private final @Nullable Argument[] arguments;
    private final Queue<Call> calls = new ConcurrentLinkedQueue<>();
    private int users;
    private boolean dropped;

    /** @param arguments in the order of the tensors for {@link #run}; null for an unused one */
    CompiledPrimitive(primitive operation, memory.@Nullable desc scratch, @Nullable Argument... arguments) {
        this.operation = kept(operation);
        this.scratch = scratch == null || scratch.get_size() == 0 ? null : kept(scratch);
        this.arguments = arguments;
        for (Argument argument : arguments) {
            if (argument != null) {
                kept(argument.shape);
            }
        }
    }

    /** Returns the primitive for arguments of other shapes, if it was compiled for any. */
    CompiledPrimitive with(@Nullable Argument... others) {
        return new CompiledPrimitive(operation, scratch, others);
    }

    /** Keeps it until {@link #release}. */
    private synchronized CompiledPrimitive retain() {
        users++;
        return this;
    }

    private synchronized void release() {
        users--;
        freeUnused();
    }

    /** Frees it as soon as nobody uses it: the compiled code is far larger than what the garbage collector sees. */
    private synchronized void discard() {
        dropped = true;
        freeUnused();
    }

    private void freeUnused() {
        if (dropped && users == 0) {
            calls.forEach(Call::free);
            operation.close();
            if (scratch != null) {
                scratch.close();
            }
            for (Argument argument : arguments) {
                if (argument != null) {
                    argument.shape.close();
                }
            }
        }
    }

    /** Creates a primitive that copies values from one order and type into another. */
    static CompiledPrimitive reordering(memory.desc from, memory.desc to) {
        reorder.primitive_desc operation = new reorder.primitive_desc(CPU, from, CPU, to, attributes(), false);
        return new CompiledPrimitive(
                new reorder(operation),
                operation.scratchpad_desc(),
                new Argument(DNNL_ARG_FROM, from),
                new Argument(DNNL_ARG_TO, to));
    }

    static primitive_attr attributes() {
        primitive_attr attributes = new primitive_attr();
        // Else threads that run the same operation would share one.
        attributes.set_scratchpad_mode(scratchpad_mode.user);
        return attributes;
    }

    private static engine cpu() {
        Natives.load();
        try {
            // What is used again is kept here.
            set_primitive_cache_capacity(0);
            return kept(new engine(engine.kind.cpu, 0));
        } catch (LinkageError error) {
            throw Natives.missing("oneDNN", "dnnl and opencl", error);
        }
    }

    static <P extends Pointer> P kept(P made) {
        made.retainReference();
        return made;
    }

    private void run(@Nullable Tensor... tensors) {
        Call free = calls.poll();
        Call call = free == null ? new Call() : free;
        try (Scope scope = new Scope()) {
            call.run(tensors);
        }
        calls.add(call);
    }
}
