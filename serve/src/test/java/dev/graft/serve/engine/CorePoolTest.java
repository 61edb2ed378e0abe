package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Tensors;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CorePoolTest {
    private final int usual = Natives.threads();

    @BeforeEach
    void three() {
        Natives.threads(3);
    }

    @AfterEach
    void asBefore() {
        Natives.threads(usual);
    }

    @Test
    void eachTaskHasOneCoreAndTheCallerKeepsItsOwn() {
        try (CorePool corePool = new CorePool("test")) {
            corePool.start();
            Set<Integer> threads = ConcurrentHashMap.newKeySet();
            Set<Integer> numbers = new ConcurrentSkipListSet<>();
            corePool.run(core -> {
                // What asks for the number of threads for the first time in a thread.
                Tensors.of(new float[1 << 18], 1 << 18).exp().close();
                threads.add(Natives.threads());
                numbers.add(core);
            });

            assertThat(threads).containsExactly(1);
            assertThat(numbers).containsExactly(0, 1, 2);
            assertThat(corePool.count()).isEqualTo(3);
            assertThat(Natives.threads()).isEqualTo(3);
        }
    }

    @Test
    void aFailureIsTheCallersOnceAllHaveEnded() {
        try (CorePool corePool = new CorePool("test")) {
            Set<Integer> ended = ConcurrentHashMap.newKeySet();
            assertThatThrownBy(() -> corePool.run(core -> {
                        if (core == 1) {
                            throw new IllegalArgumentException("no");
                        }
                        ended.add(core);
                    }))
                    .hasRootCauseInstanceOf(IllegalArgumentException.class);
            assertThat(ended).containsExactlyInAnyOrder(0, 2);
        }
    }
}
