package dev.graft.run.model;

import dev.graft.models.matrices.Quantization;
import dev.graft.tensor.Numerics;
import org.jspecify.annotations.Nullable;

/** The number formats and threads that a base is loaded for. */
public interface ComputeSettings {

    /** Returns settings with these number formats, the quantisation of the files and the default threads. */
    static ComputeSettings of(Numerics numerics) {
        return new ComputeSettings() {
            @Override
            public Numerics numerics() {
                return numerics;
            }

            @Override
            public @Nullable Quantization quantization() {
                return null;
            }

            @Override
            public @Nullable Integer threads() {
                return null;
            }
        };
    }

    /** Returns the number formats of the base. */
    Numerics numerics();

    /** Returns the quantisation of the base; null for that of {@code config.json}, else none. */
    @Nullable
    Quantization quantization();

    /** Returns the number of threads for tensor arithmetic; null for OMP_NUM_THREADS, else all cores. */
    @Nullable
    Integer threads();
}
