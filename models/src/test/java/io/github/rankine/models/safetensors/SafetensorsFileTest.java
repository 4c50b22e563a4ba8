package io.github.rankine.models.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DType;
import io.github.rankine.engine.tensor.Weight;
import io.github.rankine.models.Fixtures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {
    @TempDir
    Path folder;

    private Path file(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("x.safetensors"), bytes);
    }

    private SafetensorsFile open(String header, int... data) throws IOException {
        byte[] bytes = new byte[data.length];
        for (int i = 0; i < data.length; i++) {
            bytes[i] = (byte) data[i];
        }
        return SafetensorsFile.open(file(RawSafetensors.bytes(header, bytes)));
    }

    @Test
    void readsGoldenNumbers() {
        try (SafetensorsFile golden =
                SafetensorsFile.open(Fixtures.folder("llama-gqa").resolve("golden.safetensors"))) {
            TensorInfo ids = golden.info("input_ids");
            assertThat(ids.type()).isEqualTo(StoredType.I64);
            assertThat(ids.shape()).containsExactly(2L, 24L);
            assertThat(ids.elements()).isEqualTo(48);
            assertThat(ids.bytes()).isEqualTo(384);
            MemorySegment labels = golden.bytes("labels");
            assertThat(labels.byteSize()).isEqualTo(384);
            assertThat(labels.get(ValueLayout.JAVA_LONG_UNALIGNED, 0)).isEqualTo(-100);
            Weight losses = golden.weight("train.losses");
            assertThat(losses.rows()).isEqualTo(1);
            assertThat(losses.cols()).isEqualTo(10);
            assertThat(losses.get(0, 0)).isEqualTo(golden.weight("lora.loss").get(0, 0));
            assertThatThrownBy(() -> golden.weight("input_ids"))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("tensor 'input_ids': type I64, expected F32, BF16, F16");
            assertThatThrownBy(() -> golden.weight("base.logits"))
                    .isInstanceOf(RankineException.class)
                    .hasMessageContaining("tensor 'base.logits': shape [2, 24, 320], expected a matrix or a vector");
        }
    }

    @Test
    void readsEveryTypeOfTheEngine() throws IOException {
        try (SafetensorsFile file = open("""
            {"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"v":{"shape":[2],"data_offsets":[4,8],"dtype":"BF16"},
            "m":{"dtype":"F16","shape":[2,1],"data_offsets":[8,12]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[12,12]}}
            """, 0, 0, 0x80, 0x3f, 0x80, 0x3f, 0x00, 0xc0, 0x00, 0x3c, 0x00, 0xc0)) {
            assertThat(file.tensors()).extracting(TensorInfo::name).containsExactly("s", "v", "m", "e");
            assertThat(file.weight("s").get(0, 0)).isEqualTo(1);
            assertThat(file.weight("v").type()).isEqualTo(DType.BF16);
            assertThat(List.of(file.weight("v").get(0, 0), file.weight("v").get(0, 1)))
                    .containsExactly(1f, -2f);
            assertThat(file.weight("m").rows()).isEqualTo(2);
            assertThat(List.of(file.weight("m").get(0, 0), file.weight("m").get(1, 0)))
                    .containsExactly(1f, -2f);
            assertThat(file.weight("e").size()).isZero();
            assertThat(file.metadata()).isEmpty();
        }
    }

    @Test
    void closingUnmaps() {
        SafetensorsFile file = SafetensorsFile.open(Fixtures.folder("gpt2").resolve("golden.safetensors"));
        assertThat(file.metadata()).isEmpty();
        Weight loss = file.weight("lora.loss");
        file.close();
        assertThatThrownBy(() -> loss.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}           | header: not valid JSON",
                "[]                                                                        | the header is not a JSON"
                        + " object",
                "{} {}                                                                     | the header goes on after"
                        + " its JSON object",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
                    + " | Duplicate",
                "{\"a\":3}                                                                 | tensor 'a': expected an"
                        + " object",
                "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}                            | tensor 'a' lacks its"
                        + " dtype",
                "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}                        | tensor 'a' lacks its"
                        + " shape",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}                                 | tensor 'a' lacks its"
                        + " data_offsets",
                "{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}          | tensor 'a': unknown dtype"
                        + " 'F99'; known are BOOL",
                "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}               | tensor 'a': dtype:"
                        + " expected a string",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}         | tensor 'a': shape: -1 is"
                        + " negative",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}        | tensor 'a': shape:"
                        + " expected integers",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":\"1\",\"data_offsets\":[0,4]}}        | tensor 'a': shape:"
                        + " expected a list of integers",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}} | header: not"
                        + " valid JSON",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}} | tensor 'a':"
                        + " shape [4294967296, 4294967296] of F32 does not take the 4 bytes",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}          | tensor 'a': shape [2] of"
                        + " F32 does not take the 4 bytes",
                "{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,0]}}           | tensor 'a': shape [1] of"
                        + " F4 does not take the 0 bytes",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}          | tensor 'a': data_offsets"
                        + " [4, 0]: expected [begin, end], begin not past end",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}            | tensor 'a': data_offsets"
                        + " [0]: expected [begin, end]",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,2,4]}}        | tensor 'a': data_offsets:"
                        + " more than 2 numbers",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}          | tensor 'a' ends at byte 8"
                        + " of 4 that follow the header: the file is cut short",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}           | tensor 'a' begins at byte"
                        + " 2, past a hole from 0",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}"
                    + " | tensor 'b' begins at byte 2, inside the one before it",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}           | 1 bytes after the last"
                        + " tensor belong to none",
                "{\"__metadata__\":{\"a\":1}}                                              | __metadata__.a: expected"
                        + " a string",
                "{\"__metadata__\":[]}                                                     | __metadata__: expected an"
                        + " object"
            })
    void refusesDamagedHeaders(String header, String complaint) {
        assertThatThrownBy(() -> open(header, 1, 2, 3, 4))
                .isInstanceOf(RankineException.class)
                .hasMessageStartingWith(folder.resolve("x.safetensors") + ": ")
                .hasMessageContaining(complaint);
    }

    @ParameterizedTest
    @CsvSource({
        "9, header length 9 runs past the file's end",
        "100000000, header length 100000000 runs past the file's end",
        "100000001, 'header length 100000001, more than the format''s limit of 100000000'",
        "-1, 'header length 18446744073709551615, more than the format''s limit'",
        "1, the header is not UTF-8"
    })
    void refusesBadHeaderLengths(long length, String complaint) throws IOException {
        Path file = file(RawSafetensors.bytes(length, new byte[] {(byte) 0xff, '}'}, new byte[0]));
        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining(complaint);
    }

    @Test
    void refusesWhatIsNotSafetensors() throws IOException {
        assertThatThrownBy(() -> SafetensorsFile.open(folder)).hasMessageEndingWith(": not a file");
        assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("none")))
                .hasMessageEndingWith("none: no such file");
        Path empty = file(new byte[0]);
        assertThatThrownBy(() -> SafetensorsFile.open(empty)).hasMessageContaining("0 bytes, too few");
        Path pointer =
                Files.writeString(folder.resolve("p"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
        assertThatThrownBy(() -> SafetensorsFile.open(pointer)).hasMessageContaining("git lfs pull");
    }

    @Test
    void namesWithLineBreaksLeaveTheMessageOneLine() {
        assertThatThrownBy(() -> open("{\"a\\n\\u2028b\":3}"))
                .isInstanceOf(RankineException.class)
                .hasMessageContaining("tensor 'a  b'");
    }
}
