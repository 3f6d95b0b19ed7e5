// Ways to read recordings, each under a name.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ok, type Profile } from "../api/client";
import { languageName } from "../format";
import { choicesOf, optionsOf, type Choices } from "../library/choices";
import { JobChoices, useModels, useProfiles } from "../library/JobChoices";
import { t } from "../strings";
import { Dialog, Field, IconButton, Menu, MenuItem, Problem } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { Things } from "../ui/Things";

export function Profiles() {
  const profiles = useProfiles();
  return (
    <Things text={t.profilesText} fresh={t.newProfile} error={profiles.error} form={(onDone) => <ProfileForm onDone={onDone} />}>
      {profiles.data?.items.map((profile) => (
        <ProfileRow key={profile.id} profile={profile} />
      ))}
    </Things>
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
      const description = textIn(form, "description");
      const body = {
        name: textIn(form, "name"),
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
    <Form action={t.save} error={save.error} busy={save.isPending} onSend={(form) => save.mutate(form)}>
      <Field label={t.profileName} name="name" defaultValue={profile?.name} required maxLength={500} autoComplete="off" autoFocus />
      <Field label={t.description} name="description" defaultValue={profile?.description} maxLength={500} autoComplete="off" />
      <JobChoices value={choices} onChange={setChoices} />
    </Form>
  );
}
