package dev.graft.serve.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.Store;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.serve.ServedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
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

    private ServedModel find(String model) {
        try (Adapters.Lease lease = adapters.lease(model)) {
            return lease.model();
        }
    }

    @Test
    void aNameMeansTheVersionThatIsServedNow() {
        add(1);
        ServedModel first = find("poet");
        assertThat(find("tiny:poet")).isSameAs(first);

        add(2);
        ServedModel second = find("poet");
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

    private void canary() {
        add(1);
        add(2);
        store.alias("prod", "poet@1", new Canary("poet@2", 0.5));
    }

    private String taken() {
        Canary canary = Objects.requireNonNull(store.canary("prod"));
        return Stream.iterate("a", key -> key + "a")
                .filter(key -> canary.accepts("prod", key))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aNameThatIsTakenOutTakesItsCanaryAlong() {
        canary();
        find("prod");
        adapters.lease("prod", taken()).close();
        adapters.remove("prod");
        assertThat(adapters.loaded()).isEmpty();
        assertThat(adapters.cacheStats().bytes()).isZero();
    }

    @Test
    void whatAnotherNameMeansStays() {
        canary();
        ServedModel poet = find("poet");
        adapters.lease("prod", taken()).close();
        adapters.remove("prod");
        assertThat(find("poet")).isSameAs(poet);
    }

    @Test
    void aNameMayBeLikeACanary() {
        canary();
        adapters.add("prod-canary", "poet@2");
        long revision = adapters.revision("prod-canary");
        try (Adapters.Lease lease = adapters.lease("prod", taken())) {
            assertThat(lease.model().name()).isEqualTo("prod");
        }
        assertThat(adapters.revision("prod-canary")).isEqualTo(revision);
    }

    @Test
    void aCanaryThatIsGoneIsNamed() throws IOException {
        add(1);
        Path trained = folder.resolve("trained1");
        store.add("other", trained, Map.of(), true);
        store.alias("prod", "poet", new Canary("other@1", 0.5));
        try (Stream<Path> names = Files.list(folder.resolve("store/names"))) {
            for (Path name : names.toList()) {
                if (Files.readString(name).contains("\"name\": \"other\"")) {
                    Files.delete(name);
                }
            }
        }
        find("prod");
        assertThatThrownBy(() -> adapters.lease("prod", taken()))
                .isInstanceOf(UnknownAdapterException.class)
                .hasMessageContaining("other@1, which a share of the requests for \"prod\" gets, does not exist");
    }

    @Test
    void aVersionThatIsGoneIsUnknown() {
        add(1);
        find("poet");
        store.remove("poet");
        assertThatThrownBy(() -> find("poet")).isInstanceOf(UnknownAdapterException.class);
    }
}
