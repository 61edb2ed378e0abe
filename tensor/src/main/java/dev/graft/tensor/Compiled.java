package dev.graft.tensor;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.set_primitive_cache_capacity;

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

/** An operation of oneDNN's that was compiled for one shape, freed when it was forgotten and nobody uses it. Safe for use by several threads. */
final class Compiled {
    static final engine CPU = cpu();
    private static final Pointer NOWHERE = kept(new BytePointer(1));
    private static final ThreadLocal<stream> STREAM = ThreadLocal.withInitial(() -> kept(new stream(CPU)));

    /** What an operation is made for. */
    interface Shape {
        Compiled made();
    }

    /** So many of the last shapes. */
    static final class Kept {
        private final int most;
        private final Map<Shape, Compiled> operations = new LinkedHashMap<>(16, 0.75f, true);

        Kept(int most) {
            this.most = most;
        }

        void run(Shape shape, @Nullable Tensor... tensors) {
            Compiled operation = taken(shape);
            try {
                operation.run(tensors);
            } finally {
                operation.leave();
            }
        }

        /** Forgets all. */
        void forget() {
            List<Compiled> all;
            synchronized (operations) {
                all = List.copyOf(operations.values());
                operations.clear();
            }
            all.forEach(Compiled::drop);
        }

        private Compiled taken(Shape shape) {
            synchronized (operations) {
                Compiled known = operations.get(shape);
                if (known != null) {
                    return known.entered();
                }
            }
            Compiled made;
            try (Scope scope = new Scope()) {
                made = shape.made();
            }
            Compiled gone;
            synchronized (operations) {
                gone = operations.put(shape, made.entered());
                if (operations.size() > most) {
                    Iterator<Compiled> eldest = operations.values().iterator();
                    gone = eldest.next();
                    eldest.remove();
                }
            }
            // Outside: freeing what was compiled takes long, and others wait for the map.
            if (gone != null) {
                gone.drop();
            }
            return made;
        }
    }

    /** What an operation reads or writes, as oneDNN numbers it. */
    record Argument(int index, memory.desc shape) {}

    /** What one thread at a time runs the operation with: making it takes longer than a small product. */
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
                if (place != null && tensor != null) {
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
        }
    }

    private final primitive operation;
    private final memory.@Nullable desc scratch;
    private final @Nullable Argument[] arguments;
    private final Queue<Call> calls = new ConcurrentLinkedQueue<>();
    private int users;
    private boolean dropped;

    /** @param arguments in the order of the tensors that {@link #run} is given; null for one that isn't used */
    Compiled(primitive operation, memory.@Nullable desc scratch, @Nullable Argument... arguments) {
        this.operation = kept(operation);
        this.scratch = scratch == null || scratch.get_size() == 0 ? null : kept(scratch);
        this.arguments = arguments;
        for (Argument argument : arguments) {
            if (argument != null) {
                kept(argument.shape);
            }
        }
    }

    /** The same operation for arguments of other shapes, where it was compiled for any. */
    Compiled with(@Nullable Argument... others) {
        return new Compiled(operation, scratch, others);
    }

    /** Has it stay until {@link #leave}. */
    private synchronized Compiled entered() {
        users++;
        return this;
    }

    private synchronized void leave() {
        users--;
        freeUnused();
    }

    /** Has it go as soon as nobody uses it: what was compiled is far larger than what the garbage collector sees. */
    private synchronized void drop() {
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

    /** Values put from one order into another, and from one type into another. */
    static Compiled reordering(memory.desc from, memory.desc to) {
        reorder.primitive_desc operation = new reorder.primitive_desc(CPU, from, CPU, to, attributes(), false);
        return new Compiled(
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
