package io.github.rankine.tornado;

import io.github.rankine.engine.kernels.MemoryNeeds;

/** A device and what is on it. It is opened when it is known what it is for, or at the first use; later needs may move all to a larger one. */
final class Session implements AutoCloseable {
    private final DeviceSource source;
    private final float[] nf4Values;
    private DeviceRoom room;
    private Device device;
    private Program program;
    private DeviceMemory memory;

    Session(DeviceSource source, float[] nf4Values) {
        this.source = source;
        this.nf4Values = nf4Values;
    }

    Device device() {
        ensureOpen();
        return device;
    }

    Program program() {
        ensureOpen();
        return program;
    }

    DeviceMemory memory() {
        ensureOpen();
        return memory;
    }

    Call call(String name) {
        ensureOpen();
        if (!program.isWaiting()) {
            memory.copies().forgetGone();
        }
        return new Call(name, program, memory, device.arrays());
    }

    /** Takes what is needed, or makes room for it. */
    void expect(MemoryNeeds needs) {
        DeviceRoom wanted = DeviceRoom.of(needs);
        if (device == null) {
            open(wanted.spacious());
            return;
        }
        memory.copies().forgetGone();
        DeviceRoom living = memory.livingRoom();
        if (room.minus(living).covers(wanted)) {
            memory.copies().makeRoomFor(needs);
        } else {
            move(wanted.plus(living).spacious());
        }
    }

    private void ensureOpen() {
        if (device == null) {
            open(DeviceRoom.unplanned(source));
        }
    }

    private void open(DeviceRoom wanted) {
        device = wanted.open(source);
        device.write(device.arrays().scalars(), 0, Stored.constants(nf4Values), Stored.CONSTANTS);
        program = new Program(device);
        room = wanted;
        if (memory == null) {
            memory = new DeviceMemory(device, program);
        } else {
            memory.moveTo(device, program);
        }
    }

    /** To a larger device, with what lives on this one; its kernels are compiled again. */
    private void move(DeviceRoom wanted) {
        wanted.requireIn(source);
        memory.leave();
        device.close();
        device = null;
        open(wanted);
    }

    @Override
    public void close() {
        if (device != null) {
            memory.close();
            device.close();
        }
    }
}
