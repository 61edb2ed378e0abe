package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.InputException;
import java.nio.file.Path;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.StringLength;

class SourcePropertyTest {
    /** The parts of a source become folders of a cache; none may lead out of it. */
    @Property(tries = 2000)
    void noPartOfAnAcceptedSourceLeavesAFolder(
            @ForAll
                    @StringLength(min = 1, max = 12)
                    @Chars({'.', '/', '\\', ':', '@', '-', '~', ' '})
                    @CharRange(from = 'a', to = 'c')
                    String part) {
        for (String form :
                new String[] {"hf:" + part, "hf:a/b@" + part, "maven:g:" + part + ":1", "pypi:" + part + "==1"}) {
            Source source;
            try {
                source = Source.parse(form);
            } catch (InputException e) {
                continue;
            }
            String path = source instanceof Source.HuggingFace hf
                    ? hf.repository() + "/" + hf.revision()
                    : source instanceof Source.Maven maven ? maven.artifact() : ((Source.Pypi) source).name();
            Path folder = Path.of("/cache");
            assertThat(folder.resolve(path).normalize()).startsWithRaw(folder).isNotEqualTo(folder);
            assertThat(Path.of(path).normalize()).hasToString(path);
            assertThat(path).doesNotContain("..").doesNotContain("\\").doesNotContain("//");
        }
    }
}
