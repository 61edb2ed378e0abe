package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class AdaptersCommandTest {
    @TempDir
    private Path folder;

    private Cli run(Object... words) {
        Object[] all = new Object[words.length + 3];
        all[0] = "adapters";
        System.arraycopy(words, 0, all, 1, words.length);
        all[words.length + 1] = "--store";
        all[words.length + 2] = folder.resolve("store");
        return Cli.run(all);
    }

    @Test
    void anAdapterIsAddedListedTaggedAndRolledBack() {
        assertThat(run("list").err()).contains("is no store of adapters");
        Cli added = run("add", "sql", Cli.adapter("llama-gqa/lora"), "--metric", "accuracy=0.91");
        assertThat(added.code()).isZero();
        assertThat(added.out()).startsWith("sql@1: LORA").contains("served");
        assertThat(run("add", "sql", Cli.adapter("llama-gqa/dora")).out()).startsWith("sql@2");
        assertThat(run("tag", "sql@1", "stable").code()).isZero();
        assertThat(run("alias", "prod", "sql@stable").code()).isZero();

        assertThat(run("list").out())
                .contains("accuracy 0.91")
                .contains("stable")
                .contains("alias of sql@stable");
        JsonNode json = run("list", "--json").json();
        assertThat(json.get(1).get("served").intValue()).isEqualTo(2);
        assertThat(run("rollback", "sql").out()).contains("sql@1 is served");
        assertThat(run("rollback", "sql").code()).isEqualTo(2);
        assertThat(run("serve", "sql@2").out()).contains("sql@2 is served");
        assertThat(run("remove", "sql@2").err()).contains("roll back first");
        assertThat(run("gc", "--keep", 1).out()).contains("0 B freed");
        assertThat(run("copy", "prod", "-o", folder.resolve("copy")).code()).isZero();
        assertThat(folder.resolve("copy/adapter_model.safetensors"))
                .hasSameBinaryContentAs(Cli.adapter("llama-gqa/lora").resolve("adapter_model.safetensors"));
        assertThat(run("add", "../x", Cli.adapter("llama-gqa/lora")).err()).contains("is no name of an adapter");
        assertThat(run("remove", "nothing").err()).contains("there is no adapter nothing");
    }

    @Test
    void aCanaryIsGivenAndTakenBack() {
        run("add", "sql", Cli.adapter("llama-gqa/lora"));
        run("add", "sql", Cli.adapter("llama-gqa/dora"));
        assertThat(run("alias", "prod", "sql@1", "--canary", "sql@2").err()).contains("--share");
        assertThat(run("alias", "prod", "sql@1", "--canary", "sql@2", "--share", 1.5)
                        .err())
                .contains("the share is 1.5, expected more than 0 and less than 1");
        assertThat(run("alias", "prod", "sql@1", "--canary", "sql@2", "--share", 0.1)
                        .code())
                .isZero();
        assertThat(run("list").out()).contains("alias of sql@1, sql@2 for 0.1000 of it");
        JsonNode canary = run("list", "--json").json().get(0).get("canary");
        assertThat(canary.get("target").stringValue()).isEqualTo("sql@2");
        assertThat(canary.get("share").doubleValue()).isEqualTo(0.1);
        assertThat(run("rollback", "prod").out()).contains("sql@1 is served");
        assertThat(run("list").out()).contains("alias of sql@1").doesNotContain("0.1000");
    }

    @Test
    void signaturesAreVerified() throws IOException {
        Path key = folder.resolve("release");
        run("add", "sql", Cli.adapter("llama-gqa/lora"));
        assertThat(Cli.run("adapters", "key", key).code()).isZero();
        assertThat(Cli.run("adapters", "key", key).err()).contains("never replaced");
        if (key.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key)))
                    .isEqualTo("rw-------");
        }
        assertThat(run("verify").code()).isZero();
        Cli unsigned = run("verify", "--key", key + ".pub");
        assertThat(unsigned.code()).isEqualTo(1);
        assertThat(unsigned.out()).contains("sql@1 is not signed").contains("0 of 1");
        assertThat(run("sign", "sql", "--key", key).code()).isZero();
        assertThat(run("verify", "--key", key + ".pub").out()).contains("1 of 1 versions are whole and signed");
    }

    @Test
    void aNameWhoseFileIsDamagedIsSaidAndTheOthersAreListed() throws IOException {
        run("add", "sql", Cli.adapter("llama-gqa/lora"));
        run("add", "chat", Cli.adapter("llama-gqa/dora"));
        Path damaged = folder.resolve("store/names").resolve(Sha256.of("chat") + ".json");
        Files.writeString(damaged, "{");
        Cli list = run("list");
        assertThat(list.code()).isZero();
        assertThat(list.out()).contains("sql").doesNotContain("chat");
        assertThat(list.err()).contains("warning: left out").contains(damaged.toString());
        Cli verify = run("verify");
        assertThat(verify.code()).isEqualTo(1);
        assertThat(verify.out()).contains(damaged.toString()).contains("1 of 1 versions are whole");
        assertThat(run("gc").err()).contains(damaged.toString());
    }

    @Test
    void aStoreMayBeEncrypted() {
        Path key = folder.resolve("key");
        assertThat(Cli.run("adapters", "key", key, "--encryption").code()).isZero();
        assertThat(run("add", "sql", Cli.adapter("llama-gqa/lora"), "--encryption-key", key)
                        .code())
                .isZero();
        assertThat(run("list").out()).contains("LORA");
        assertThat(run("copy", "sql", "-o", folder.resolve("a")).err()).contains("encrypted");
        assertThat(run("copy", "sql", "-o", folder.resolve("a"), "--encryption-key", key)
                        .code())
                .isZero();
    }
}
