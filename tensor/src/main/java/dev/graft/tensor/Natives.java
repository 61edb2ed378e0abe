package dev.graft.tensor;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Loads libtorch once, with the settings it needs: JavaCPP's own memory limits off (they are a multiple of the Java heap
 * and stop large models), and OpenBLAS at one thread, because its threads inside ATen's collapse when cores are shared.
 */
public final class Natives {
    static {
        System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
        System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    }

    private static final Queue<Runnable> COMPILED = new ConcurrentLinkedQueue<>();

    private Natives() {}

    /** Makes sure that libtorch is loaded; cheap after the first call. */
    public static void load() {
        Holder.load();
    }

    /** Sets how many threads one operation may use. */
    public static void threads(int threads) {
        load();
        torch.set_num_threads(threads);
    }

    /** How many threads one operation may use. */
    public static int threads() {
        load();
        return torch.get_num_threads();
    }

    /** The kind of processor that the loops of {@link Fused} were compiled for; null where libtorch does their work. */
    public static @Nullable String loops() {
        return Kernels.LOADED.processor();
    }

    /** Why those loops couldn't be loaded; null where they were, or where there are none for this platform. */
    public static @Nullable String loopsProblem() {
        return Kernels.LOADED.problem();
    }

    /** Has what was compiled freed by {@link #forgetCompiled}. */
    static void forgets(Runnable compiled) {
        COMPILED.add(compiled);
    }

    /** Frees what was compiled for the products of training steps, which other lengths of rows would not use. */
    public static void forgetCompiled() {
        COMPILED.forEach(Runnable::run);
    }

    /** Gives the system back what is free: in libtorch's heap, and before that what only the garbage collector knows to be. */
    public static void giveBack() {
        System.gc();
        try {
            // The collector says what it found a little later.
            Thread.sleep(50);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        Pointer.deallocateReferences();
        trim();
    }

    /** Gives the system back what is free in libtorch's heap. */
    public static void trim() {
        Pointer.trimMemory();
    }

    /** Says which artifacts would bring a library. */
    static IllegalStateException missing(String library, String artifacts, Throwable error) {
        return new IllegalStateException(
                library + " for " + Loader.getPlatform() + " is not on the class path: add the artifacts org.bytedeco:"
                        + artifacts + " with the classifier " + Loader.getPlatform(),
                error);
    }

    private static final class Holder {
        static {
            try {
                Loader.load(torch.class);
                openblas_nolapack.blas_set_num_threads(1);
            } catch (LinkageError | TypeNotPresentException error) {
                throw missing("libtorch", "pytorch, openblas and javacpp", error);
            }
        }

        private Holder() {}

        static void load() {}
    }
}
