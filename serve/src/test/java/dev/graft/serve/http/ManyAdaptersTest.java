package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.store.Store;
import dev.graft.serve.adapters.CacheStats;
import dev.graft.serve.adapters.LoadedAdapter;
import dev.graft.serve.adapters.VersionedStore;
import dev.graft.serve.engine.Engine;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many more adapters than there is memory for: each answer is that of its adapter alone, and what left memory has given it back. */
@Tag("slow")
@Timeout(300)
class ManyAdaptersTest {
    private static final int ADAPTERS = 256;
    private static final int HOT = 32;
    private static final int PEOPLE = 8;
    private static final int REQUESTS = 150;
    private static final LoraConfig RANK4 = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path folder;

    @Test
    void eachAnswerIsThatOfItsAdapterAlone() throws Exception {
        Store store = Store.create(folder.resolve("store"), null);
        // LoRA of rank 4 on q, k, v, o, gate, up, down of 16 and 24 features, in fp32.
        long each = 4L * 4 * (32 + 24 + 24 + 32 + 40 + 40 + 40);
        TinyChat tiny = new TinyChat(
                folder,
                new Engine.Options(16, 64, 16, 1 << 20),
                TinyChat.options(),
                root -> new VersionedStore(store),
                HOT * each);
        Set<Adapter> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        try (tiny) {
            List<String> alone = fill(tiny, store, each);
            assertThat(new HashSet<>(alone)).as("adapters say different things").hasSizeGreaterThan(ADAPTERS * 9 / 10);
            ExecutorService people = Executors.newFixedThreadPool(PEOPLE);
            List<Future<?>> done = new ArrayList<>();
            for (int i = 0; i < PEOPLE; i++) {
                int person = i;
                done.add(people.submit(() -> ask(tiny, alone, new Random(person), seen)));
            }
            for (Future<?> one : done) {
                one.get();
            }
            people.shutdown();
            check(tiny, seen, each);
        }
    }

    /** Adds the adapters; returns what each says by itself. */
    private static List<String> fill(TinyChat tiny, Store store, long each) {
        Generator generator = new Generator(tiny.base, tiny.base.tokenizer());
        int[] prompt =
                tiny.base.tokenizer().encode("Hello", EncodeOptions.DEFAULT).ids();
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(8).withEndTokens(Set.of());
        List<String> alone = new ArrayList<>();
        for (int i = 0; i < ADAPTERS; i++) {
            tiny.lora("a" + i, RANK4, i);
            Path saved = tiny.adapterFolder.resolve("a" + i);
            store.add("a" + i, saved, Map.of(), true);
            try (Adapter adapter = Adapter.load(tiny.base, saved)) {
                assertThat(4 * adapter.trainableCount()).isEqualTo(each);
                alone.add(generator
                        .generate(
                                List.of(prompt), options, Selection.of(adapter).hooks(), TextListener.SILENT)
                        .get(0)
                        .text());
            }
        }
        return alone;
    }

    /** Mostly for the hot ones. */
    private static void ask(TinyChat tiny, List<String> alone, Random random, Set<Adapter> seen) {
        Client client = new Client(tiny.server.address());
        for (int i = 0; i < REQUESTS; i++) {
            int which = random.nextInt(random.nextInt(5) > 0 ? HOT : ADAPTERS);
            Client.Reply reply = client.post(
                    "/v1/completions",
                    "{\"model\": \"a" + which + "\", \"prompt\": \"Hello\", \"max_tokens\": 8, \"temperature\": 0,"
                            + " \"ignore_eos\": true}");
            assertThat(reply.status()).as(reply.body()).isEqualTo(200);
            assertThat(reply.json().path("choices").path(0).path("text").stringValue())
                    .as("a" + which)
                    .isEqualTo(alone.get(which));
            synchronized (seen) {
                tiny.adapters.loaded().forEach(loaded -> seen.add(loaded.adapter()));
            }
        }
    }

    private static void check(TinyChat tiny, Set<Adapter> seen, long each) throws InterruptedException {
        while (tiny.engine.running() > 0) {
            Thread.sleep(1);
        }
        CacheStats counts = tiny.adapters.cacheStats();
        List<Adapter> held =
                tiny.adapters.loaded().stream().map(LoadedAdapter::adapter).toList();
        assertThat(held).hasSize(HOT);
        assertThat(counts.bytes()).isEqualTo(HOT * each);
        assertThat(counts.evictions()).isGreaterThan(100).isEqualTo(counts.loads() - HOT);
        assertThat(counts.hits()).isGreaterThan(counts.loads());
        assertThat(seen.size()).isGreaterThan(HOT);
        held.forEach(seen::remove);
        assertThat(seen)
                .as("what left memory")
                .allSatisfy(adapter -> assertThat(adapter.parameters().values())
                        .allSatisfy(parameter ->
                                assertThat(parameter.value().isNull()).isTrue()));
        assertThat(held)
                .allSatisfy(adapter -> assertThat(adapter.parameters().values())
                        .allSatisfy(parameter ->
                                assertThat(parameter.value().isNull()).isFalse()));
    }
}
