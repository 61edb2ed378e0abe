package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.train.data.files.Dataset;
import dev.graft.train.data.files.Splits;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.commons.compress.compressors.CompressorException;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows in compressed files, Parquet, several files and folders. */
class PackedFilesTest {
    private static final String ROWS = """
        {"text": "one", "label": "b"}
        {"text": "two", "label": "a"}
        """;

    @TempDir
    Path folder;

    private Path file(String name, byte[] content) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.write(file, content);
    }

    private Path file(String name, String content) throws IOException {
        return file(name, content.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] packed(String format, byte[] content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = new CompressorStreamFactory().createCompressorOutputStream(format, bytes)) {
            out.write(content);
        } catch (CompressorException e) {
            throw new AssertionError(e);
        }
        return bytes.toByteArray();
    }

    private void parquet(String name, String query) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
                Statement statement = connection.createStatement()) {
            statement.execute("COPY (" + query + ") TO '" + file + "' (FORMAT parquet)");
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    private static List<Row> rows(Rows rows) {
        return IntStream.range(0, rows.size()).mapToObj(rows::get).toList();
    }

    private static Row text(String text, String label) {
        return new Row.Text(text, null, new Label.One(label));
    }

    @ParameterizedTest
    @CsvSource({"gz,gzip", "zstd,Zstandard", "bzip2,bzip2", "xz,xz"})
    void compressedRowsAreThoseOfTheFileInside(String format, String title) throws IOException {
        Path file = file("rows.bin", packed(format, ROWS.getBytes(StandardCharsets.UTF_8)));
        try (Dataset data = Dataset.open(file)) {
            assertThat(data.detected())
                    .isEqualTo("JSONL (" + title + "), classification, fields text,label, 2 labels, 2 rows");
            assertThat(rows(data)).containsExactly(text("one", "b"), text("two", "a"));
            assertThat(data.place(1)).endsWith("rows.bin:2");
        }
    }

    @Test
    void membersOfAGzipFileFollowEachOther() throws IOException {
        byte[] member = packed("gz", ROWS.getBytes(StandardCharsets.UTF_8));
        byte[] both = Arrays.copyOf(member, 2 * member.length);
        System.arraycopy(member, 0, both, member.length, member.length);
        try (Dataset data = Dataset.open(file("train.jsonl.gz", both))) {
            assertThat(data.size()).isEqualTo(4);
        }
    }

    @ParameterizedTest
    @CsvSource({"gz", "zstd", "bzip2", "xz"})
    void aDamagedFileIsNamed(String format) throws IOException {
        byte[] whole = packed(format, ROWS.repeat(50).getBytes(StandardCharsets.UTF_8));
        Path cut = file("cut", Arrays.copyOf(whole, whole.length - 9));
        assertThatThrownBy(() -> Dataset.open(cut))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("cut: is damaged, or not ");
    }

    @Test
    void aBombIsStoppedAndLeavesNothing() throws IOException {
        byte[] zeros = packed("gz", new byte[80 << 20]);
        Path bomb = file("bomb.jsonl.gz", packed("gz", zeros));
        assertThatThrownBy(() -> Dataset.open(bomb)).hasMessageContaining("is packed twice");
        Path single = file("bomb.zst", packed("zstd", new byte[80 << 20]));
        assertThatThrownBy(() -> Dataset.open(single)).hasMessageContaining("unpacks to more than 1000 times its size");
    }

    @Test
    void parquetHasTextsListsAndStructs() throws IOException {
        parquet(
                "chat[1].parquet",
                "SELECT [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello \"you\" \\n"
                        + "'}] AS messages, 1.5 AS score UNION ALL SELECT [{'role': 'user', 'content': 'é'}, {'role':"
                        + " 'assistant', 'content': 'x'}], NULL");
        try (Dataset data = Dataset.open(folder.resolve("chat[1].parquet"))) {
            assertThat(data.detected()).isEqualTo("Parquet, chat, fields messages, 2 rows (not used: score)");
            assertThat(((Row.Chat) data.get(0)).messages().get(1).content()).isEqualTo("Hello \"you\" \\n");
            assertThat(((Row.Chat) data.get(1)).messages().get(0).content()).isEqualTo("é");
            assertThat(data.place(1)).endsWith("chat[1].parquet:2");
        }
        Path broken = file("b.parquet", "PAR1 and no more PAR1");
        assertThatThrownBy(() -> Dataset.open(broken))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("b.parquet: is no Parquet file that can be read");
        parquet("empty.parquet", "SELECT 'a' AS text WHERE false");
        assertThatThrownBy(() -> Dataset.open(folder.resolve("empty.parquet"))).hasMessageContaining("has no rows");
    }

    @Test
    void arrowFilesAreRefusedWithWhatToDo() throws IOException {
        Path file = file("data-00000-of-00001.arrow", new byte[] {-1, -1, -1, -1, 16, 2, 0, 0});
        assertThatThrownBy(() -> Dataset.open(file))
                .hasMessageContaining("is an Arrow file, which isn't read; write it as Parquet: python -c");
        assertThatThrownBy(() -> Splits.open(saved(), DataOptions.DETECT))
                .hasMessageContaining("is an Arrow file, which isn't read");
    }

    private Path saved() throws IOException {
        file("saved/dataset_dict.json", "{\"splits\": [\"train\"]}");
        file("saved/train/dataset_info.json", "{}");
        file("saved/train/state.json", "{}");
        file("saved/train/data-00000-of-00001.arrow", new byte[] {-1, -1, -1, -1, 16, 2, 0, 0});
        return folder.resolve("saved");
    }

    @Test
    void aPatternNamesSeveralFiles() throws IOException {
        file("part-2.jsonl", "{\"text\": \"three\", \"label\": \"c\"}\n");
        file("part-1.jsonl", ROWS);
        file("deep/part-9.jsonl", ROWS);
        try (Splits splits = Splits.open(folder.resolve("part-*.jsonl"), DataOptions.DETECT)) {
            assertThat(rows(splits.train())).containsExactly(text("one", "b"), text("two", "a"), text("three", "c"));
            assertThat(splits.train().place(2)).endsWith("part-2.jsonl:1");
            assertThat(splits.notes().get(0))
                    .contains("JSONL in 2 files, classification, fields text,label, 3 labels, 3 rows");
        }
        try (Splits splits = Splits.open(folder.resolve("**/part-*.jsonl"), DataOptions.DETECT)) {
            assertThat(splits.train().size()).isEqualTo(2);
        }
        assertThatThrownBy(() -> Splits.open(folder.resolve("none-*.csv"), DataOptions.DETECT))
                .hasMessageContaining("no file matches")
                .hasMessageContaining("none-*.csv");
        file("part-3.jsonl", "{\"text\": \"four\", \"lable\": 1}\n");
        assertThatThrownBy(() -> Splits.open(folder.resolve("part-*.jsonl"), DataOptions.DETECT))
                .hasMessageContaining("part-3.jsonl:1: the key \"label\" is missing");
        file("part-3.jsonl", "text,label\na,b\n");
        assertThatThrownBy(() -> Splits.open(folder.resolve("part-*.jsonl"), DataOptions.DETECT))
                .hasMessageContaining("part-3.jsonl:1: starts with neither { nor [");
    }

    @Test
    void foldersAreReadAsDatasetsLaysThemOut() throws IOException {
        parquet("set/data/train-00000-of-00002.parquet", "SELECT 'a' AS text, 0 AS label");
        parquet("set/data/train-00001-of-00002.parquet", "SELECT 'b' AS text, 1 AS label");
        parquet("set/data/validation-00000-of-00001.parquet", "SELECT 'c' AS text, 1 AS label");
        file("set/README.md", "# A data set");
        try (Splits splits = Splits.open(folder.resolve("set"), DataOptions.DETECT)) {
            assertThat(rows(splits.train())).containsExactly(text("a", "0"), text("b", "1"));
            assertThat(splits.validation()).isNotNull().extracting(Rows::size).isEqualTo(1);
            assertThat(splits.test()).isNull();
        }
        file("sets/en/train.jsonl.gz", packed("gz", ROWS.getBytes(StandardCharsets.UTF_8)));
        try (Splits splits = Splits.open(folder.resolve("sets"), DataOptions.DETECT)) {
            assertThat(splits.train().size()).isEqualTo(2);
        }
        file("sets/fr/train.jsonl", ROWS);
        assertThatThrownBy(() -> Splits.open(folder.resolve("sets"), DataOptions.DETECT))
                .hasMessageContaining("has several data sets")
                .hasMessageContaining("name one of them");
        file("split/train/a.csv", "text,label\na,x\nb,y\n");
        file("split/test/a.csv", "text,label\nc,x\n");
        try (Splits splits = Splits.open(folder.resolve("split"), DataOptions.DETECT)) {
            assertThat(splits.train().size()).isEqualTo(2);
            assertThat(splits.test()).isNotNull();
        }
    }
}
