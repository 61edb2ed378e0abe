package dev.graft.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.peft.store.Store;
import dev.graft.peft.store.UnknownAdapterException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VersionedStoreTest {
    private static final Base BASE = Base.load(Path.of("../parity/fixtures/bases/llama-gqa"), Base.Options.DEFAULT);

    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init")
    private Store store;

    @SuppressWarnings("NullAway.Init")
    private Adapters adapters;

    @BeforeEach
    void anEmptyStore() {
        store = Store.create(folder.resolve("store"), null);
        adapters = new Adapters(BASE, "tiny", new VersionedStore(store));
    }

    private void add(int seed) {
        Path trained = folder.resolve("trained" + seed);
        Adapter.create(BASE, new Lora(LoraConfig.DEFAULT), seed).save(trained);
        store.add("poet", trained, Map.of(), true);
    }

    private Served find(String model) {
        try (Adapters.Lease lease = adapters.lease(model)) {
            return lease.served();
        }
    }

    @Test
    void aNameMeansTheVersionThatIsServedNow() {
        add(1);
        Served first = find("poet");
        assertThat(find("tiny:poet")).isSameAs(first);

        add(2);
        Served second = find("poet");
        assertThat(second.revision()).isNotEqualTo(first.revision());
        assertThat(find("poet")).isSameAs(second);

        store.rollback("poet", null);
        assertThat(find("poet").revision()).isNotIn(first.revision(), second.revision());
    }

    @Test
    void versionsAreAskedForByNumberAndTag() {
        add(1);
        add(2);
        store.tag("poet@1", "stable");
        assertThat(find("poet@1").name()).isEqualTo("poet@1");
        assertThat(find("poet@stable").name()).isEqualTo("poet@stable");
        assertThat(adapters.names()).containsExactly("poet");
    }

    @Test
    void whatIsNoReferenceIsUnknown() {
        add(1);
        for (String name : new String[] {"pirate", "poet@9", "poet@old", "../poet", "poet@", ""}) {
            assertThatThrownBy(() -> find(name))
                    .isInstanceOf(UnknownAdapterException.class)
                    .hasMessageContaining("does not exist; there are tiny and its adapters [poet]");
        }
    }

    @Test
    void aVersionThatIsGoneIsUnknown() {
        add(1);
        find("poet");
        store.remove("poet");
        assertThatThrownBy(() -> find("poet")).isInstanceOf(UnknownAdapterException.class);
    }
}
