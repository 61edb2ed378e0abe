package dev.graft.tensor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.bytedeco.javacpp.ClassProperties;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.global.torch;

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

    /**
     * Loads libtorch; cheap after the first call. Fails with the names of the artifacts if libtorch is not on the class path.
     */
    public static void load() {
        Holder.load();
    }

    /** Sets the number of threads that one operation may use. */
    public static void threads(int threads) {
        load();
        torch.set_num_threads(threads);
    }

    /** Returns the number of threads that one operation may use. */
    public static int threads() {
        load();
        return torch.get_num_threads();
    }

    /** Registers a function that frees compiled operations, for {@link #freeCompiled}. */
    public static void registerCompiled(Runnable compiled) {
        COMPILED.add(compiled);
    }

    /** Frees the operations compiled for training steps, which passes with other shapes don't use. */
    public static void freeCompiled() {
        COMPILED.forEach(Runnable::run);
    }

    /**
     * Returns free memory to the system. Runs the garbage collector first, which frees unreachable tensors, then {@link #trim}.
     */
    public static void releaseMemory() {
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

    /** Returns the free memory of libtorch's heap to the system. */
    public static void trim() {
        Pointer.trimMemory();
    }

    /** Creates an error that names the artifacts of a missing library. */
    public static IllegalStateException missing(String library, String artifacts, Throwable error) {
        return new IllegalStateException(
                library + " for " + Loader.getPlatform() + " is not on the class path: add the artifacts org.bytedeco:"
                        + artifacts + " with the classifier " + Loader.getPlatform(),
                error);
    }

    private static final class Holder {
        static {
            try {
                extract(torch.class);
                Loader.load(torch.class);
                openblas_nolapack.blas_set_num_threads(1);
            } catch (LinkageError | TypeNotPresentException error) {
                throw missing("libtorch", "pytorch, openblas and javacpp", error);
            }
        }

        private Holder() {}

        static void load() {}

        /**
         * Extracts all libraries that a class links, before one of them is loaded. JavaCPP extracts each just before it loads it,
         * but its order has libtorch before libtorch_cpu, which libtorch depends on: the dynamic linker would map the half of
         * libtorch_cpu that another process is extracting, or that a process stopped in its first second has left.
         */
        private static void extract(Class<?> type) {
            ClassProperties properties = Loader.loadProperties(type, Loader.loadProperties(), true);
            try {
                for (String library : properties.get("platform.link")) {
                    for (URL source : Loader.findLibrary(type, properties, library)) {
                        if (!source.getProtocol().equals("file")) {
                            Loader.cacheResource(source);
                        }
                    }
                }
            } catch (IOException error) {
                throw new UncheckedIOException(
                        "cannot extract libtorch (0.5 GB) to the cache of JavaCPP, in ~/.javacpp;"
                                + " -Dorg.bytedeco.javacpp.cachedir=DIR names another folder",
                        error);
            }
        }
    }
}
