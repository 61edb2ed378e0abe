package dev.graft.peft.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import dev.graft.peft.Bases;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * What a store reads is either used or refused with an {@link InputException}, and nothing is written outside its folder. Seeds lie in the
 * resources beside this class; {@code JAZZER_FUZZ=1} and one method selected by {@code -Dtest} searches for new inputs.
 */
class StoreFuzzTest {
    private Path folder;

    @BeforeEach
    void create() throws Exception {
        folder = Files.createTempDirectory("graft-fuzz");
    }

    /** A search for inputs is one test, so each input clears what the one before has left. */
    private void clear() {
        ObjectFolder.list(folder, path -> true).forEach(AtomicWrite::delete);
    }

    @AfterEach
    void delete() {
        AtomicWrite.delete(folder);
    }

    private void requireNothingBeside() {
        assertThat(ObjectFolder.list(folder, path -> true))
                .allSatisfy(
                        path -> assertThat(path.getFileName().toString()).isIn("store", "adapter.zip", "copy", "key"));
    }

    /** What a name means: read whole, written again as it was, and never followed out of the store. */
    @FuzzTest(maxDuration = "2m")
    void manifest(byte[] input) throws Exception {
        clear();
        Store store = Store.create(folder.resolve("store"), null);
        store.add("sql", Bases.FIXTURES.resolve("adapters/llama-gqa/lora"), Map.of(), true);
        Path file = folder.resolve("store/names").resolve(Sha256.of("sql") + ".json");
        Files.write(file, input);
        try {
            NameRecord read = NameRecord.read(file);
            AtomicWrite.text(file, read.json());
            assertThat(NameRecord.read(file)).isEqualTo(read);
        } catch (InputException refused) {
            assertThat(refused.getMessage()).isNotBlank();
        }
        each(store::entries, store::names, () -> store.verify(null), () -> store.resolve("sql"));
        each(
                () -> store.canary("sql"),
                () -> store.copy("sql", folder.resolve("copy")),
                () -> store.rollback("sql", null));
        each(() -> store.tag("sql", "stable"), () -> store.gc(1), () -> store.remove("sql@1"));
        requireNothingBeside();
    }

    private static void each(Runnable... uses) {
        for (Runnable use : uses) {
            try {
                use.run();
            } catch (InputException refused) {
                assertThat(refused.getMessage()).isNotBlank();
            }
        }
    }

    /** The store's own file. */
    @FuzzTest(maxDuration = "2m")
    void description(byte[] input) throws Exception {
        clear();
        Path root = Files.createDirectories(folder.resolve("store"));
        Files.write(root.resolve("store.json"), input);
        Path key = folder.resolve("key");
        Files.writeString(key, FileEncryption.newKey());
        FileEncryption encryption = FileEncryption.read(key);
        each(
                () -> Store.open(root, null).names(),
                () -> Store.open(root, encryption).names());
        requireNothingBeside();
    }

    /** An archive: what is taken from it can be had again, file by file. */
    @FuzzTest(maxDuration = "2m")
    void archive(byte[] input) throws Exception {
        clear();
        Path zip = folder.resolve("adapter.zip");
        Files.write(zip, input);
        Store store = Store.create(folder.resolve("store"), null);
        try {
            Store.Added added = store.add("sql", zip, Map.of(), true);
            StoredContent content = StoredContent.read(zip);
            assertThat(added.version().files().keySet())
                    .isEqualTo(content.files().keySet());
            store.copy("sql@1", folder.resolve("copy"));
            for (Map.Entry<String, byte[]> file : content.files().entrySet()) {
                assertThat(folder.resolve("copy").resolve(file.getKey())).hasBinaryContent(file.getValue());
            }
            assertThat(store.verify(null)).isEmpty();
        } catch (InputException refused) {
            assertThat(refused.getMessage()).isNotBlank();
            assertThat(store.names()).isEmpty();
        }
        requireNothingBeside();
    }
}
