package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.internal.FileStepCounter;
import dev.graft.formats.internal.FileStepCounter.Dead;
import dev.graft.models.Base;
import dev.graft.peft.store.Store;
import dev.graft.peft.store.StoredVersion;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever happens to a process between two operations on a store's files, the store reads as before or as after. */
class StoreCrashTest {
    private static final Base LLAMA = Tiny.llama();

    @TempDir
    private Path folder;

    @BeforeEach
    void makeAdapters() {
        for (int seed = 1; seed <= 3; seed++) {
            Tiny.lora(LLAMA, 0, seed).save(folder.resolve("adapter-" + seed));
        }
    }

    @AfterEach
    void watchNoLonger() {
        FileStepCounter.stop();
    }

    private Path adapter(int seed) {
        return folder.resolve("adapter-" + seed);
    }

    private interface Change {
        void on(Store store);
    }

    /** Dies at the first and then every so many steps of a change to a store with two versions, of which the second is served. */
    private void die(int every, String what, Change change, int... served) {
        int steps = Integer.MAX_VALUE;
        for (int k = 1; k <= steps; k += every) {
            Path root = folder.resolve(what + "-" + k);
            Store store = Store.create(root, null);
            store.add("sql", adapter(1), Map.of(), true);
            store.add("sql", adapter(2), Map.of(), true);
            if (k == 1) {
                Path whole = folder.resolve(what + "-whole");
                Store counted = Store.create(whole, null);
                counted.add("sql", adapter(1), Map.of(), true);
                counted.add("sql", adapter(2), Map.of(), true);
                var count = FileStepCounter.deadFrom(Integer.MAX_VALUE);
                change.on(counted);
                steps = count.get();
                FileStepCounter.stop();
                assertThat(steps).isGreaterThan(3);
            }
            FileStepCounter.deadFrom(k);
            assertThatThrownBy(() -> change.on(store)).isInstanceOf(Dead.class);
            FileStepCounter.stop();
            Store again = Store.open(root, null);
            assertThat(again.verify(null)).as("%s, step %d", what, k).isEmpty();
            StoredVersion now = again.resolve("sql");
            assertThat(served).as("%s, step %d", what, k).contains(now.number());
            assertThat(again.load(LLAMA, now).trainable()).isNotEmpty();
            change.on(again);
            again.gc(null);
            assertThat(again.verify(null)).isEmpty();
        }
    }

    private void changes(int every) {
        die(every, "add", store -> store.add("sql", adapter(3), Map.of(), true), 2, 3);
        die(every, "serve", store -> store.serve("sql@1"), 1, 2);
        die(every, "tag", store -> store.tag("sql@1", "stable"), 2);
        die(
                every,
                "gc",
                store -> {
                    store.add("sql", adapter(3), Map.of(), true);
                    store.gc(1);
                },
                2,
                3);
    }

    @Test
    void aChangeThatDiesAtSomeStepLeavesAWholeStore() {
        changes(6);
    }

    @Test
    @Tag("slow")
    void aChangeThatDiesAtAnyStepLeavesAWholeStore() {
        changes(1);
    }

    @Test
    void whileAStoreIsMade() {
        for (int k = 1; k <= 4; k++) {
            Path root = folder.resolve("made-" + k);
            FileStepCounter.deadFrom(k);
            assertThatThrownBy(() -> Store.create(root, null)).isInstanceOf(Dead.class);
            FileStepCounter.stop();
            assertThat(Store.create(root, null).names()).isEmpty();
        }
    }
}
