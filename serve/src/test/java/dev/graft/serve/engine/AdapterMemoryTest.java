package dev.graft.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.peft.Adapter;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.serve.GenerationRequest;
import dev.graft.serve.RejectedException;
import dev.graft.serve.RequestHandle;
import dev.graft.serve.ServedModel;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.CacheStats;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.adapters.VirtualAdapter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which adapters are in memory. */
class AdapterMemoryTest {
    private static final Base BASE = Base.load(Path.of("../parity/fixtures/bases/llama-gqa"), Base.Options.DEFAULT);

    @TempDir
    private Path folder;

    private long each;

    @BeforeEach
    void fourAdapters() {
        for (int seed = 1; seed <= 4; seed++) {
            Adapter adapter = Adapter.create(BASE, new Lora(LoraConfig.DEFAULT.withInit(LoraInits.of("false"))), seed);
            each = 4 * adapter.trainableCount();
            adapter.save(folder.resolve("a" + seed));
        }
    }

    private Adapters adapters(long budget) {
        return new Adapters(BASE, "tiny", new FolderStore(folder), budget);
    }

    @Test
    void whatAnswersByItsNeighboursIsRefusedBeforeItMeetsAny() {
        Adapters adapters =
                new Adapters(BASE, "tiny", new FolderStore(Path.of("../parity/fixtures/adapters/llama-gqa")));
        assertThatThrownBy(() -> adapters.lease(Tiny.MIXES_ROWS))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("by the other texts of its batch");
    }

    private static List<String> held(Adapters adapters) {
        return adapters.loaded().stream()
                .map(loaded -> Path.of(loaded.version()).getFileName().toString())
                .sorted()
                .toList();
    }

    @Test
    void whatWasUsedLongestAgoGoesFirstAndItsMemoryWithIt() {
        Adapters adapters = adapters(2 * each);
        Adapter first;
        try (Adapters.Lease lease = adapters.lease("a1")) {
            first = adapters.loaded("a1").adapter();
            assertThat(lease.model().name()).isEqualTo("a1");
        }
        adapters.lease("a2").close();
        adapters.lease("a1").close();
        adapters.lease("a3").close();
        assertThat(held(adapters)).containsExactly("a1", "a3");
        assertThat(adapters.cacheStats()).isEqualTo(new CacheStats(2 * each, 1, 3, 1));

        adapters.lease("a4").close();
        assertThat(held(adapters)).containsExactly("a3", "a4");
        assertThat(first.parameters().values())
                .allSatisfy(parameter -> assertThat(parameter.value().isNull()).isTrue());
        assertThat(adapters.loaded("a1")).isNull();
    }

    @Test
    void whatIsMadeOfOthersStaysLongerThanWhatIsReadFromFilesButNotForEver() {
        Adapters adapters = adapters(4 * each);
        adapters.add("both", VirtualAdapter.sum(Map.of("a1", 0.7, "a2", 0.3)));
        long made = adapters.loaded("both").bytes();
        assertThat(made).as("two others fit beside it").isBetween(each, 2 * each);
        for (String name : List.of("a1", "a2", "a3", "a4")) {
            adapters.lease(name).close();
        }
        assertThat(adapters.loaded("both")).isNotNull();
        assertThat(adapters.loaded("a2")).isNull();
        adapters.lease("both").close();
        assertThat(adapters.cacheStats()).isEqualTo(new CacheStats(made + 2 * each, 1, 5, 2));

        for (int round = 0; round < 4; round++) {
            for (String name : List.of("a1", "a2", "a3", "a4")) {
                adapters.lease(name).close();
            }
        }
        assertThat(adapters.loaded("both")).isNull();
    }

    @Test
    void whatIsInUseOrPinnedStays() {
        Adapters adapters = adapters(2 * each);
        adapters.pin("a1");
        Adapters.Lease second = adapters.lease("a2");
        assertThatThrownBy(() -> adapters.lease("a3"))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("no room for another adapter");
        assertThat(held(adapters)).containsExactly("a1", "a2");
        second.close();
        adapters.lease("a3").close();
        adapters.lease("a4").close();
        assertThat(held(adapters)).containsExactly("a1", "a4");
    }

    @Test
    void oneThatIsLargerThanTheBudgetIsRefusedByName() {
        Adapters adapters = adapters(each - 1);
        assertThatThrownBy(() -> adapters.lease("a1"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a1 takes " + each + " bytes")
                .hasMessageContaining("may take " + (each - 1));
        assertThat(adapters.cacheStats()).isEqualTo(new CacheStats(0, 0, 0, 0));
    }

    @Test
    void whatIsUnloadedStaysForWhoHasItAndIsLoadedAnewForOthers() {
        Adapters adapters = adapters(Long.MAX_VALUE);
        Adapters.Lease before = adapters.lease("a1");
        Adapter old = adapters.loaded("a1").adapter();
        adapters.remove("a1");
        adapters.add("a1", "a1");
        assertThat(adapters.revision("a1")).isGreaterThan(before.model().revision());
        assertThat(adapters.loaded("a1").adapter()).isNotSameAs(old);
        assertThat(old.parameters().values())
                .allSatisfy(parameter -> assertThat(parameter.value().isNull()).isFalse());
        before.close();
        assertThat(old.parameters().values())
                .allSatisfy(parameter -> assertThat(parameter.value().isNull()).isTrue());
        assertThat(adapters.cacheStats().bytes()).isEqualTo(each);
    }

    @Test
    void manyWhoAskAtOnceWaitForOneLoad() throws Exception {
        AtomicInteger loads = new AtomicInteger();
        CountDownLatch slow = new CountDownLatch(1);
        FolderStore store = new FolderStore(folder);
        Adapters adapters = new Adapters(BASE, "tiny", new AdapterStore() {
            @Override
            public List<String> names() {
                return store.names();
            }

            @Override
            public Loadable find(String name) {
                Loadable loadable = store.find(name);
                return new Loadable(loadable.title(), loadable.version(), (base, serves) -> {
                    loads.incrementAndGet();
                    if (name.equals("a1")) {
                        await(slow);
                    }
                    return loadable.loader().load(base, serves);
                });
            }
        });
        ExecutorService people = Executors.newFixedThreadPool(4);
        List<Future<ServedModel>> answers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            answers.add(people.submit(() -> adapters.lease("a1").model()));
        }
        adapters.lease("a2").close();
        assertThat(answers).as("a slow load holds up nobody else").noneMatch(Future::isDone);
        slow.countDown();
        for (Future<ServedModel> answer : answers) {
            assertThat(answer.get()).isSameAs(answers.get(0).get());
        }
        assertThat(loads).hasValue(2);
        people.shutdown();
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException stop) {
            throw new AssertionError(stop);
        }
    }

    /** An engine says that it has let go of a text however the text ends. */
    @Test
    void anEngineLetsGoOfEveryText() throws Exception {
        AtomicInteger left = new AtomicInteger();
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(6).withEndTokens(Set.of());
        try (Engine engine = new Engine(BASE, null, Engine.Options.DEFAULT)) {
            for (int i = 0; i < 30; i++) {
                GenerationRequest request =
                        GenerationRequest.of(new int[] {5, 6, 7}, options, ServedModel.base("tiny"));
                boolean late = i % 3 == 1;
                RequestHandle handle = engine.submit(
                        late ? request.withDeadline(System.nanoTime()) : request, new RecordingListener() {
                            @Override
                            public void onRelease() {
                                assertThat(end.isDone() || tokens.size() < 6).isTrue();
                                left.incrementAndGet();
                            }
                        });
                if (i % 3 == 2) {
                    handle.cancel();
                }
            }
        }
        assertThat(left).hasValue(30);
    }
}
