// Ways to read recordings, each under a name.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ok, type Profile } from "../api/client";
import { languageName } from "../format";
import { choicesOf, optionsOf, type Choices } from "../library/choices";
import { JobChoices, useModels } from "../library/JobChoices";
import { t } from "../strings";
import { Button, Dialog, Field, IconButton, Menu, MenuItem, Problem } from "../ui/controls";

export function Profiles() {
  const [making, setMaking] = useState(false);
  const profiles = useQuery({ queryKey: ["profiles"], queryFn: () => ok(api.GET("/api/v1/profiles")) });
  return (
    <>
      <div className="page-head">
        <p className="hint">{t.profilesText}</p>
        <Button kind="primary" onClick={() => setMaking(true)}>
          {t.newProfile}
        </Button>
      </div>
      <Problem error={profiles.error} />
      <ul className="plain things">
        {profiles.data?.items.map((profile) => (
          <ProfileRow key={profile.id} profile={profile} />
        ))}
      </ul>
      <Dialog title={t.newProfile} open={making} onClose={() => setMaking(false)}>
        <ProfileForm onDone={() => setMaking(false)} />
      </Dialog>
    </>
  );
}

function ProfileRow({ profile }: { profile: Profile }) {
  const client = useQueryClient();
  const models = useModels().data?.items ?? [];
  const [editing, setEditing] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: ["profiles"] });
  const params = { path: { id: profile.id } };
  const makeDefault = useMutation({ mutationFn: () => ok(api.POST("/api/v1/profiles/{id}:set-default", { params })), onSettled: again });
  const remove = useMutation({ mutationFn: () => ok(api.DELETE("/api/v1/profiles/{id}", { params })), onSettled: again });
  const { language, model, diarization, speakers } = choicesOf(profile.options);
  const facts = [
    profile.is_default && t.defaultModel,
    language === "auto" ? t.anyLanguage : languageName(language),
    model && (models.find((one) => one.id === model)?.name ?? model),
    diarization ? (speakers > 0 ? t.speakersCount(speakers) : t.speakersTold) : t.speakersNotTold,
  ];
  return (
    <li>
      <div className="thing">
        <span className="row-title">{profile.name}</span>
        {profile.description && <span>{profile.description}</span>}
        <span className="row-facts">{facts.filter(Boolean).join(" · ")}</span>
        <Problem error={makeDefault.error ?? remove.error} />
      </div>
      <Menu label={t.more} trigger={<IconButton icon="more" label={`${t.more}: ${profile.name}`} />}>
        <MenuItem onSelect={() => setEditing(true)}>{t.change}</MenuItem>
        {!profile.is_default && <MenuItem onSelect={() => makeDefault.mutate()}>{t.makeDefault}</MenuItem>}
        <MenuItem danger onSelect={() => remove.mutate()}>
          {t.delete}
        </MenuItem>
      </Menu>
      <Dialog title={t.editProfile} open={editing} onClose={() => setEditing(false)}>
        <ProfileForm profile={profile} onDone={() => setEditing(false)} />
      </Dialog>
    </li>
  );
}

function ProfileForm({ profile, onDone }: { profile?: Profile; onDone: () => void }) {
  const client = useQueryClient();
  const [choices, setChoices] = useState<Choices>(() => choicesOf(profile?.options ?? {}));
  const save = useMutation({
    mutationFn: (form: FormData) => {
      const description = String(form.get("description"));
      const body = {
        name: String(form.get("name")),
        options: optionsOf(choices, profile?.options),
        description: description || null,
      };
      return profile
        ? ok(api.PATCH("/api/v1/profiles/{id}", { params: { path: { id: profile.id } }, body }))
        : ok(api.POST("/api/v1/profiles", { body }));
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["profiles"] });
      onDone();
    },
  });
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(new FormData(event.currentTarget));
      }}
    >
      <Field label={t.profileName} name="name" defaultValue={profile?.name} required maxLength={500} autoComplete="off" autoFocus />
      <Field label={t.description} name="description" defaultValue={profile?.description} maxLength={500} autoComplete="off" />
      <JobChoices value={choices} onChange={setChoices} />
      <Problem error={save.error} />
      <Button kind="primary" type="submit" disabled={save.isPending}>
        {t.save}
      </Button>
    </form>
  );
}
